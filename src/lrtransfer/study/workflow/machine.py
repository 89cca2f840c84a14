"""What a study asks of the machine and its user: memory, folders it may write to, a cache."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

from lrtransfer.study.storage.paths import PREPARED, WORK, Layout

_LEAST_MEGABYTES = 1200
"""Of addresses: with less, torch or pyarrow abort, without a word, while they are imported."""


def check_memory() -> None:
    """Refuse a limit of memory under which no stage starts.

    Raises:
        RuntimeError: The limit is too low.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _LEAST_MEGABYTES << 20:
        raise RuntimeError(
            f"a process may have {limit >> 20} MB of memory here (ulimit -v), too little to load "
            f"torch. Allow {_LEAST_MEGABYTES} or more, or lift the limit: ulimit -v unlimited"
        )


def check_own_folders() -> None:
    """Refuse folders of ours and of Snakemake that cannot be written to.

    Raises:
        RuntimeError: One cannot be.
    """
    _check([WORK, Path(".snakemake")])


def check_folders(layout: Layout, logs: Path) -> None:
    """Refuse folders of results that cannot be written to, before a job's work is lost on one.

    Raises:
        RuntimeError: One cannot be.
    """
    roots = (layout.results, layout.work, PREPARED, logs / layout.results)
    _check([*roots, *(folder for root in roots for folder in _inside(root))])


def _inside(root: Path) -> Iterator[Path]:
    for folder, inner, _ in os.walk(root):
        if Path(folder) == Path("results"):
            inner[:] = [name for name in inner if name != "scales"]  # of other studies
        yield from (Path(folder) / name for name in inner)


def _check(folders: Iterable[Path]) -> None:
    for folder in folders:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise RuntimeError(
                f"{there.absolute()}: this user (number {os.geteuid()}) may not write there. Make "
                "it writable, as with chmod u+w by its owner, then call again"
            )


def own_cache() -> dict[str, str]:
    """Return the variable that gives Snakemake a cache in this folder, where home has no place."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~").expanduser()
    if os.access(home, os.W_OK | os.X_OK) and Path(home).is_dir():
        return {}
    return {"XDG_CACHE_HOME": str((WORK / "cache").absolute())}
