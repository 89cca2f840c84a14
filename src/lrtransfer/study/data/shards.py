"""Text larger than the memory, as shards of tokens that are read through the page cache.

Shards are written one after another, each whole or not at all, and a list beside them says how far
the text has been read. So preparing goes on where it was stopped, and a shard that is there is
never made twice.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.storage.atomic import replacing, write_text
from lrtransfer.study.storage.seal import CorruptFileError, require_file

Tokens = np.ndarray[Any, Any]
_LIST = "shards.json"
_PIECE = 2**20  # bytes read at a time
_LINE_SECONDS = 5.0


@runtime_checkable
class Streamed(Protocol):
    """A data source whose training part is a stream of tokens that no memory need hold.

    Attributes:
        sizes: As of `Source`.
        dtype: Of a token on the disk.
        shard_tokens: The fewest of a shard, but for the last one.
    """

    sizes: tuple[int, int]
    shard_tokens: int

    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102

    def digest(self) -> str:
        """Return the sha256 of the raw content, read in pieces."""

    def discard(self) -> None:
        """Drop a downloaded copy; a user's own file is left alone."""

    def pieces(self, folder: Path, start: int) -> Iterator[tuple[Tokens, int]]:
        """Yield tokens of the training part from byte `start` on, and the byte that they reach.

        Args:
            folder: Where a tokenizer is kept, so that going on means the same tokens.
            start: 0, or a byte that was yielded before.
        """

    def held_out(self, folder: Path) -> Tokens:
        """Return the tokens of the part that is not trained on, which fits into memory."""


@dataclass(frozen=True)
class Shard:
    """One file of tokens.

    Attributes:
        name: Of the file.
        tokens: Their number.
        sha256: Of its content.
        until: The byte of the text that it reaches.
    """

    name: str
    tokens: int
    sha256: str
    until: int


def write_shards(source: Streamed, folder: Path) -> list[Shard]:
    """Write what is missing of the training part and return all of its shards.

    Args:
        source: The text.
        folder: Where they lie.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = read_list(folder)
    pieces = source.pieces(folder, done[-1].until if done else 0)
    told = _Told(sum(shard.tokens for shard in done))
    more = True
    while more:
        name = f"train-{len(done):05d}.{source.dtype.name}"
        tokens, digest, until = 0, hashlib.sha256(), 0
        with replacing(folder / name) as temporary, temporary.open("wb") as file:
            for piece, until in pieces:  # noqa: B007
                content = np.ascontiguousarray(piece, source.dtype).tobytes()
                file.write(content)
                digest.update(content)
                tokens += len(piece)
                told.read(len(piece))
                if tokens >= source.shard_tokens:
                    break
            else:
                more = False
        if tokens == 0:
            (folder / name).unlink()
            break
        done.append(Shard(name, tokens, digest.hexdigest(), until))
        write_text(folder / _LIST, json.dumps([asdict(shard) for shard in done], indent=1))
    return done


def read_list(folder: Path) -> list[Shard]:
    """Return the shards that are written, up to the first that is missing or damaged."""
    found: list[Shard] = []
    try:
        for entry in json.loads((folder / _LIST).read_text("utf-8")):
            shard = Shard(**entry)
            check_shard(folder / shard.name, shard.sha256)
            found.append(shard)
    except (OSError, ValueError, TypeError, CorruptFileError):
        pass
    return found


def open_shards(folder: Path, shards: list[dict[str, Any]]) -> Arrays:
    """Return the shards as arrays that read from the disk what is asked for.

    Args:
        folder: Where they lie.
        shards: What the manifest says of them.

    Raises:
        CorruptFileError: One has another size.
        FileNotFoundError: One is missing.
    """
    found: Arrays = {}
    for shard in shards:
        path = folder / shard["name"]
        require_file(path)
        dtype = np.dtype(path.suffix[1:])
        if path.stat().st_size != shard["tokens"] * dtype.itemsize:
            raise CorruptFileError(path, f"does not hold {shard['tokens']} tokens")
        found[f"train_tokens/{shard['name']}"] = np.memmap(path, dtype, "r")
    return found


def check_shard(path: Path, sha256: str) -> None:
    """Compare a shard with its checksum.

    Raises:
        CorruptFileError: It has another one.
        FileNotFoundError: There is no such file.
    """
    require_file(path)
    if digest_of(path) != sha256:
        raise CorruptFileError(path, "the content does not match its manifest")


def text_pieces(path: Path, start: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines of a file, about `_PIECE` bytes at a time, and the byte that they reach.

    A longer line is cut between two characters.

    Raises:
        ValueError: The file became shorter meanwhile.
    """
    with path.open("rb") as file:
        file.seek(start)
        place = start
        while place < end:
            piece = file.read(min(_PIECE, end - place))
            if place + len(piece) < end:
                cut = piece.rfind(b"\n") + 1 or _before_character(piece)
                file.seek(place + cut)
                piece = piece[:cut]
            if not piece:
                raise ValueError(f"{path} became shorter while it was read. Prepare it again.")
            place += len(piece)
            yield piece, place


def line_end(path: Path, place: int) -> int:
    """Return the byte after the line in which byte `place` lies."""
    with path.open("rb") as file:
        file.seek(place)
        while (line := file.readline(_PIECE)) and not line.endswith(b"\n"):
            pass
        return file.tell()


def digest_of(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _before_character(piece: bytes) -> int:
    """Return where the last character of UTF-8 begins, so that it can be left for later."""
    cut = len(piece) - 1
    while cut > 0 and piece[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut or len(piece)


class _Told:
    """Says on stderr every few seconds how many tokens there are."""

    def __init__(self, before: int) -> None:
        self.tokens, self.new = before, 0
        self.began = self.last = time.monotonic()

    def read(self, tokens: int) -> None:
        """Note that so many more are written; print a line if one is due."""
        self.tokens, self.new = self.tokens + tokens, self.new + tokens
        now = time.monotonic()
        if now - self.last >= _LINE_SECONDS:
            self.last = now
            pace = self.new / (now - self.began) / 1e6
            text = f"{self.tokens / 1e6:,.0f} million tokens, {pace:.1f} million a second"
            print(text, file=sys.stderr, flush=True)
