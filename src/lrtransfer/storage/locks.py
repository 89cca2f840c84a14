"""Kernel locks: held by a process, gone with it however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class LockHeldError(RuntimeError):
    """Another process holds the lock; ``holder`` is what it wrote about itself."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"{path} is held by {holder or 'another process'}")
        self.holder = holder


def acquire(path: Path, about: str, *, inheritable: bool = False) -> IO[str]:
    """Take the lock at ``path`` and return the open file that holds it; closing it lets go.

    Args:
        path: The lock file; it stays on disk and means nothing by itself.
        about: Who holds it, for the message that a second process prints.
        inheritable: Whether a program that replaces or follows this one keeps the lock.

    Raises:
        LockHeldError: Another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise LockHeldError(path, holder) from None
    lock.seek(0)
    lock.truncate()
    lock.write(about)
    lock.flush()
    os.set_inheritable(lock.fileno(), inheritable)
    return lock


@contextmanager
def locked(path: Path, about: str) -> Iterator[None]:
    """Hold the lock at ``path`` within the block; raise ``LockHeldError`` if it is taken."""
    lock = acquire(path, about)
    try:
        yield
    finally:
        lock.close()
