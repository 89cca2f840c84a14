"""Parquet tables that carry their own digest, so that damage is noticed when they are read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lrtransfer.storage.atomic import replacing

_DIGEST = b"lrtransfer.digest"
_ABOUT = b"lrtransfer"


class CorruptFileError(RuntimeError):
    """A result file that is truncated, damaged or not one of ours."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(
            f"{path}: {problem}. Delete the file and run the study again: it will be made anew."
        )
        self.path = path


def write_table(path: Path, table: pa.Table, about: dict[str, Any]) -> None:
    """Write ``table`` with the JSON-safe ``about`` in its metadata, whole or not at all."""
    text = json.dumps(about, sort_keys=True, allow_nan=False).encode()
    table = table.replace_schema_metadata(None)
    metadata = {_ABOUT: text, _DIGEST: _digest(table, text)}
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


def read_table(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the table at ``path`` and what its metadata says.

    Raises:
        CorruptFileError: The file cannot be read, or its content does not match its digest.
        FileNotFoundError: There is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        table = pq.read_table(path, memory_map=False)
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptFileError(path, f"not readable as Parquet ({reason})") from None
    metadata = table.schema.metadata or {}
    table = table.replace_schema_metadata(None)
    text = metadata.get(_ABOUT, b"")
    if metadata.get(_DIGEST) != _digest(table, text):
        raise CorruptFileError(path, "the content does not match its digest")
    about: dict[str, Any] = json.loads(text)
    return table, about


def read_about(path: Path) -> dict[str, Any]:
    """Return what the metadata of the table at ``path`` says, without reading the table.

    Raises:
        CorruptFileError: The file is truncated or not one of ours.
    """
    try:
        about: dict[str, Any] = json.loads(pq.read_schema(path).metadata[_ABOUT])
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptFileError(path, f"not readable as a result table ({reason})") from None
    return about


def _digest(table: pa.Table, about: bytes) -> bytes:
    """Return a sha256 over names, types and values, independent of chunks and compression.

    Nulls count by their place; what the memory behind them holds is undefined.
    """
    total = hashlib.sha256(about)
    for name, column in zip(table.column_names, table.columns, strict=True):
        total.update(f"{name}:{column.type}:{len(column)}".encode())
        total.update(pc.is_valid(column).to_numpy().tobytes())
        values = column.drop_null()
        if pa.types.is_boolean(column.type):
            values = values.cast(pa.int8())
        sink = pa.BufferOutputStream()
        batch = pa.record_batch([values.combine_chunks()], names=[name])
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        total.update(sink.getvalue())
    return total.hexdigest().encode()
