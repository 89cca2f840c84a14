"""A data source with its options: its arrays, and where its content lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import unquote, urlsplit

import numpy as np
from safetensors.numpy import save

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.shards import Streamed
from lrtransfer.study.data.trainable import sizes_of, trainable
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.places import fault, shown
from lrtransfer.study.plan.settings import filled
from lrtransfer.study.plan.yaml_file import StudyError

# Files larger than this together (bytes) are read when they are prepared, not to check a study.
_LIGHT = 2**26


class Source(Protocol):
    """What a data source is: content that can be pinned, and arrays made of it.

    One whose options tell them has `sizes`, too: the numbers per sample and the outputs that a
    network needs.
    """

    def read(self) -> bytes:
        """Return the content that a checksum pins."""

    def arrays(self, raw: bytes) -> Arrays:
        """Return what is prepared of it."""


class _Made:
    """The arrays that a function of the study's own returned."""

    def __init__(self, arrays: Arrays) -> None:
        self.made = arrays

    def read(self) -> bytes:
        """Return the arrays in the form of safetensors."""
        return save({key: np.ascontiguousarray(array) for key, array in self.made.items()})

    def arrays(self, raw: bytes) -> Arrays:
        """Return the arrays."""
        return self.made


def source(name: str, options: Mapping[str, Any]) -> Source | Streamed:
    """Return a data source with its options; of a function that returns arrays, with those.

    Raises:
        LookupError: There is no such source.
        StudyError: It is the study's own, and fails, or returns neither a source nor arrays that
            can be trained on.
    """
    make, file = catalog.load("data", name), shown(catalog.source_file("data", name))
    with _own_faults():
        made: Any = make(**options)
    if isinstance(made, dict):
        try:
            trainable(made, file)  # before they are written down, which fails less clearly
        except ValueError as error:
            raise StudyError([str(error)]) from error
        return _Made(made)
    if not isinstance(made, Streamed) and not hasattr(made, "arrays"):
        what = f"{file}: returns a {type(made).__name__}."
        raise StudyError([f"{what} Return arrays by name, or an object with `read` and `arrays`."])
    return cast("Source | Streamed", made)


def raw_content(made: Source | Streamed) -> tuple[str, bytes]:
    """Return the sha256 of a source's content, and the content unless that is streamed.

    Raises:
        StudyError: The source is the study's own, and fails.
    """
    with _own_faults():
        if isinstance(made, Streamed):
            return made.digest(), b""
        raw = made.read()
        return hashlib.sha256(raw).hexdigest(), raw


def fitted(made: Source, raw: bytes, name: str) -> Arrays:
    """Return the arrays of a source's content, as they are prepared.

    Args:
        made: The source.
        raw: Its content.
        name: The source's.

    Raises:
        StudyError: It is the study's own, and fails.
        ValueError: They cannot be trained on, or are not of the sizes that the source gives
            beforehand.
    """
    with _own_faults():
        arrays = made.arrays(raw)
    arrays = trainable(arrays, f"data source {name!r}")
    told, found = tuple(getattr(made, "sizes", sizes_of(arrays))), sizes_of(arrays)
    if found != told:
        raise ValueError(
            f"data source {name!r}: a network needs {found} numbers in and out for its "
            f"training part, but its `sizes` are {told}. A class may have no training "
            "sample: correct the options or the source."
        )
    return arrays


def place(name: str, options: Mapping[str, Any]) -> str:
    """Return the path or the address that a source reads; empty where it reads none."""
    every = filled("data", name, dict(options))
    return str(every.get("path") or every.get("url") or "")


def own_files(where: str) -> list[Path]:
    """Return the files at a path, those of a folder and of all in it; none of an address."""
    parts = urlsplit(where)
    if not where or parts.scheme in ("http", "https"):
        return []
    found = Path(unquote(parts.path) if parts.scheme == "file" else where).expanduser()
    return sorted(file for file in (found, *found.rglob("*")) if file.is_file())


def at_hand(where: str) -> bool:
    """Return whether content is soon read, to check a study: not from afar, and not large."""
    if urlsplit(where).scheme in ("http", "https"):
        return False
    return sum(file.stat().st_size for file in own_files(where)) <= _LIGHT


@contextmanager
def _own_faults() -> Iterator[None]:
    """Make what the study's own code raises one line with its place."""
    try:
        yield
    except Exception as error:  # anything that a user's code may raise
        if isinstance(error, StudyError) or (line := fault(error)) is None:
            raise
        raise StudyError([line]) from error
