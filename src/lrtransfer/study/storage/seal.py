"""Files that carry a digest of themselves: any flipped or missing byte is noticed.

The writer of a format puts `PLACEHOLDER` into the file's metadata; `seal` replaces it
by the sha256 of all other bytes. Checking needs neither torch nor pyarrow.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_MARK = b"lrtransfer-seal:"
_LENGTH = 64
PLACEHOLDER = _MARK.decode() + "0" * _LENGTH


class CorruptFileError(RuntimeError):
    """A result file that is truncated, damaged or not one of ours."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}. Run the study again: it sets the file aside and makes it anew."
        )
        self.path, self.problem = path, problem


def seal(content: bytes) -> bytes:
    """Return `content` with the digest in the place of its placeholder."""
    place = _place(content)
    return content[:place] + _digest(content, place) + content[place + _LENGTH :]


def read_sealed(path: Path) -> bytes:
    """Return the bytes of a sealed file.

    Raises:
        CorruptFileError: The file is truncated, damaged or not one of ours.
        FileNotFoundError: There is no such file.
    """
    require_file(path)
    content = path.read_bytes()
    try:
        place = _place(content)
    except ValueError:
        raise CorruptFileError(path, "truncated, or no result of this project") from None
    if content[place : place + _LENGTH] != _digest(content, place):
        raise CorruptFileError(path, "the content does not match its digest")
    return content


def require_file(path: Path) -> None:
    """Raise `FileNotFoundError` where nothing is; `CorruptFileError` where it is no plain file.

    A pipe would be waited for, a folder or a dangling link taken for a result by its name.
    """
    if path.is_file():
        return
    if os.path.lexists(path):
        raise CorruptFileError(path, "a folder, pipe or dangling link where a file should be")
    raise FileNotFoundError(f"{path}: no such file")


def _place(content: bytes) -> int:
    return content.index(_MARK) + len(_MARK)


def _digest(content: bytes, place: int) -> bytes:
    total = hashlib.sha256(content[:place])
    total.update(content[place + _LENGTH :])
    return total.hexdigest().encode()
