"""Sealed Parquet tables that say in their metadata what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lrtransfer.study.storage.atomic import write_bytes
from lrtransfer.study.storage.seal import PLACEHOLDER, CorruptFileError, read_sealed, seal

_ABOUT = "lrtransfer"


def write_table(path: Path, table: pa.Table, about: dict[str, Any]) -> None:
    """Write ``table`` with the JSON-safe ``about`` in its metadata, whole or not at all."""
    text = json.dumps(about, sort_keys=True, allow_nan=False)
    table = table.replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    # Without the Arrow schema, which would hold a second copy of the metadata.
    with pq.ParquetWriter(sink, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_ABOUT: text, "seal": PLACEHOLDER})
    write_bytes(path, seal(sink.getvalue().to_pybytes()))


def read_table(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the table at ``path`` and what its metadata says.

    Raises:
        CorruptFileError: The file is damaged, truncated or not one of ours.
        FileNotFoundError: There is no such file.
    """
    table = pq.read_table(pa.BufferReader(read_sealed(path)))
    about: dict[str, Any] = json.loads(table.schema.metadata[_ABOUT.encode()])
    return table.replace_schema_metadata(None), about


def read_about(path: Path) -> dict[str, Any]:
    """Return what the metadata of the table at ``path`` says, without reading the table.

    Raises:
        CorruptFileError: The file is truncated or not one of ours.
    """
    try:
        about: dict[str, Any] = json.loads(pq.read_metadata(path).metadata[_ABOUT.encode()])
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError):
        raise CorruptFileError(path, "truncated, or no result of this project") from None
    return about
