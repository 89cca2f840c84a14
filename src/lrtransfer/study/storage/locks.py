"""Kernel locks: held by a process, gone with it however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.5
_HOLDER_LENGTH = 200


class LockHeldError(RuntimeError):
    """Another process holds the lock; `holder` is what it wrote about itself."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"{path} is held by {holder or 'another process'}. Wait until it ends, or stop it."
        )
        self.path = path
        self.holder = holder


def acquire(
    path: Path, about: str, *, inheritable: bool = False, wait_seconds: float = 0.0
) -> IO[str]:
    """Take the lock at `path` and return the open file that holds it; closing it lets go.

    Args:
        path: The lock file; it stays on disk and means nothing by itself.
        about: Who holds it, for the message that a second process prints.
        inheritable: Whether a program that replaces or follows this one keeps the lock.
        wait_seconds: How long to wait for a holder to let go.

    Raises:
        LockHeldError: Another process holds the lock.
        RuntimeError: Something else than a file stands there, or may not be written.
    """
    lock = _opened(path)
    deadline = time.monotonic() + wait_seconds
    while not (held := _try_lock(lock)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if not held:
        lock.seek(0)
        holder = lock.read(_HOLDER_LENGTH).strip()
        lock.close()
        raise LockHeldError(path, holder)
    lock.seek(0)
    lock.truncate()
    lock.write(about)
    lock.flush()
    os.set_inheritable(lock.fileno(), inheritable)
    return lock


@contextmanager
def locked(path: Path, about: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock at `path` within the block; arguments and error as `acquire`."""
    lock = acquire(path, about, wait_seconds=wait_seconds)
    try:
        yield
    finally:
        lock.close()


def _opened(path: Path) -> IO[str]:
    """Open the file at `path`, made if missing; through no link, which another user may plant."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise RuntimeError(
            f"{path} cannot be a lock ({error.strerror}: {error.filename}). Remove what stands "
            "there, if it is yours, and start again."
        ) from None
    return os.fdopen(handle, "r+", encoding="utf-8", errors="replace")


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
