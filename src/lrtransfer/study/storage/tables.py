"""Sealed Parquet tables that say in their metadata what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lrtransfer.study.storage.atomic import write_bytes
from lrtransfer.study.storage.seal import (
    PLACEHOLDER,
    CorruptFileError,
    read_sealed,
    require_file,
    seal,
)

_ABOUT = "lrtransfer"


def write_table(path: Path, table: pa.Table, about: dict[str, Any]) -> None:
    """Write `table` with the JSON-safe `about` in its metadata, whole or not at all."""
    text = json.dumps(about, sort_keys=True, allow_nan=False)
    table = table.replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    # Without the Arrow schema, which would hold a second copy of the metadata.
    with pq.ParquetWriter(sink, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({_ABOUT: text, "seal": PLACEHOLDER})
    write_bytes(path, seal(sink.getvalue().to_pybytes()))


def read_table(path: Path, of: Mapping[str, Any] | None = None) -> tuple[pa.Table, dict[str, Any]]:
    """Return the table at `path` and what its metadata says.

    Args:
        path: The file.
        of: What the metadata must say: whose table is asked for.

    Raises:
        CorruptFileError: The file is damaged, truncated, not one of ours or another's.
        FileNotFoundError: There is no such file.
    """
    content = read_sealed(path)
    try:
        # `pq.read_table` would import pyarrow.dataset and pandas, in every training job.
        table = pq.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise CorruptFileError(path, f"sealed, but no table ({error})") from None
    return table.replace_schema_metadata(None), _about(path, table.schema.metadata, of)


def read_about(path: Path, of: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the metadata of the table at `path` says, without reading the table.

    Args:
        path: The file.
        of: What the metadata must say, as in `read_table`.

    Raises:
        CorruptFileError: The file is truncated, not one of ours or another's.
        FileNotFoundError: There is no such file.
    """
    require_file(path)
    try:
        metadata = pq.read_metadata(path).metadata
    except (pa.ArrowException, OSError):
        raise CorruptFileError(path, "truncated, or no result of this project") from None
    return _about(path, metadata, of)


def _about(
    path: Path, metadata: Mapping[bytes, bytes] | None, of: Mapping[str, Any] | None
) -> dict[str, Any]:
    try:
        about = json.loads((metadata or {})[_ABOUT.encode()])
    except (ValueError, KeyError):
        about = None
    if not isinstance(about, dict):
        raise CorruptFileError(path, "truncated, or no result of this project")
    for name, value in (of or {}).items():
        if about.get(name) != value:
            raise CorruptFileError(path, f"its {name} is {about.get(name)!r}, not {value!r}")
    return about
