"""How long `lt.judge` takes on tables that are not ours in form, all its frames and its text.

Processor seconds of one call, the table already in memory. The drift that was planted stands beside
the one that is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.judge import judge

_Array = npt.NDArray[np.float64]

DRIFT = -0.3
_WIDTHS = (64.0, 128.0, 256.0, 512.0)


class _Table(NamedTuple):
    """A table with the columns that `judge` is told."""

    name: str
    frame: pd.DataFrame
    columns: dict[str, Any]


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per table: its size and form, seconds, the drift found with its interval."""
    return [_row(table) for table in _tables()]


def _row(table: _Table) -> dict[str, Any]:
    began = process_time()
    found = judge(table.frame, **table.columns)
    said = len(str(found))
    frames = (found.optima, found.drift, found.regret, found.laws)
    seconds = process_time() - began
    drift = found.drift.iloc[0]
    return {
        "table": table.name,
        "rows": len(table.frame),
        "sweeps": len(frames[0]),
        "seconds": round(seconds, 2),
        "planted": DRIFT,
        "drift": round(float(drift.value), 3),
        "low": round(float(drift.ci_low), 3),
        "high": round(float(drift.ci_high), 3),
        "characters": said,
    }


def _tables() -> Iterator[_Table]:
    rng = np.random.default_rng(0)
    plain = {"size": "width", "rate": "lr", "loss": "loss", "seed": "seed"}
    yield _Table("long, a row a run", _swept(rng, _WIDTHS), plain)

    wide = _swept(rng, _WIDTHS).pivot(index=["width", "seed"], columns="lr", values="loss")
    long = wide.reset_index().melt(id_vars=["width", "seed"], var_name="lr", value_name="loss")
    yield _Table("wide, a column a rate", long, plain)

    told = _swept(rng, _WIDTHS).assign(state="finished", note="run of nobody")
    fails = told.lr > 0.3
    told = told.assign(loss=told.loss.mask(fails), state=told.state.mask(fails, "crashed"))
    texts = told.assign(width=told.width.map("{:.0f}".format), lr=told.lr.map("{:.3e}".format))
    yield _Table("texts and crashes", texts, {**plain, "status": ("state", ["crashed"])})

    batches = [_swept(rng, _WIDTHS).assign(batch=batch) for batch in (32, 64, 128)]
    tuned = pd.concat(batches, ignore_index=True)
    tuned["loss"] += 0.02 * np.log2(tuned["batch"] / 64) ** 2
    yield _Table("a batch to be tuned", tuned, {**plain, "tuned": "batch"})

    many = _swept(rng, np.geomspace(32, 4096, 2500), seeds=2)
    yield _Table("2,500 sizes", many, plain)

    random = pd.DataFrame({"width": np.repeat(_WIDTHS, 12_500), "seed": range(50_000)})
    random["lr"] = 2.0 ** rng.uniform(-8, 0, len(random))
    random["loss"] = _loss(rng, random.width.to_numpy(), random.lr.to_numpy())
    yield _Table("rates at random", random, plain)


def _swept(rng: np.random.Generator, widths: npt.ArrayLike, *, seeds: int = 3) -> pd.DataFrame:
    """Return ten rates an octave apart at each width and seed."""
    grid = pd.MultiIndex.from_product(
        [np.asarray(widths), range(seeds), 2.0 ** np.arange(-9, 1)], names=["width", "seed", "lr"]
    )
    table = grid.to_frame(index=False)
    return table.assign(loss=_loss(rng, table.width.to_numpy(), table.lr.to_numpy()))


def _loss(rng: np.random.Generator, width: _Array, rate: _Array) -> _Array:
    away = np.log2(rate) + 4 - DRIFT * np.log2(width / 64) + 0.1 * rng.normal(size=len(rate))
    return 2 + 0.1 * away**2 + 0.01 * rng.normal(size=len(rate))
