"""The file of one run: one row per logged step; config, versions and status in its metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_table, write_table

# What every run's metadata says besides its key.
_SAID = ("config", "status", "diverged_step", "wall_seconds", "processor", "versions")


def write_run(
    path: Path,
    losses: Sequence[float],
    rates: Sequence[float],
    measured: Mapping[int, Mapping[str, float]],
    about: dict[str, Any],
) -> None:
    """Write a run's log.

    Args:
        path: The file.
        losses: Mini-batch training loss of updates 1, 2, …
        rates: Global learning rate of the same updates.
        measured: Step -> column -> value; the parameters are those after `step` updates.
        about: Key, config, code, data, status, versions, times; JSON-safe.
    """
    steps = range(len(losses) + 1)
    columns: dict[str, pa.Array] = {
        "step": _column(steps, np.int64),
        "loss": _column([None, *losses]),
        "learning_rate": _column([None, *rates]),
    }
    # Sorted, so that a resumed run's file is the uninterrupted one's.
    for name in sorted({name for row in measured.values() for name in row}):
        values = [_number(measured.get(step, {}).get(name)) for step in steps]
        columns[name] = _column(values)
    write_table(path, pa.table(columns), about)


def read_run(path: Path, key: str) -> tuple[pa.Table, dict[str, Any]]:
    """Return a run's log and metadata.

    Raises:
        CorruptFileError: The file is damaged, is another run's, or lacks what a run must say.
        FileNotFoundError: There is no such file.
    """
    table, about = read_table(path)
    if about.get("key") != key:
        raise CorruptFileError(path, f"holds run {about.get('key')}, not {key}")
    if lacking := [name for name in _SAID if name not in about]:
        raise CorruptFileError(path, f"lacks {lacking[0]!r}: written by another version")
    return table, about


def _column(values: Sequence[float | None], kind: type = np.float64) -> pa.Array:
    """Return the values as Arrow has them, None as null; `pa.array` would import pandas."""
    there = np.array([value is not None for value in values])
    content: np.ndarray[Any, Any] = np.array(
        [0 if value is None else value for value in values], dtype=kind
    )
    mask = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
    whole = [mask, pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(values), whole)


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
