"""The one table of an experiment's estimates: its columns, and how claims and figures read it.

A row is one `Estimate` with what it is of. Intervals are not stored: claims ask the estimate, and
figures get limits at the confidence that they show (`Estimates.shown`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.size import AXES, Axis

SCHEMA = pa.schema(
    [
        ("experiment", pa.string()),
        ("arm", pa.string()),  # empty where a row is of all arms
        ("baseline", pa.string()),  # the arm that `arm` is compared with, or empty
        ("axis", pa.string()),  # of `transfer.size.AXES`
        ("fixed", pa.int64()),  # the value of the other axis
        ("size", pa.int64()),  # 0 pools all sizes
        ("rate", pa.float64()),  # the learning rate, where the row is of one
        ("quantity", pa.string()),
        ("at", pa.string()),  # start, late, reference, low, a share of the run, …
        ("statistic", pa.string()),
        ("value", pa.float64()),
        ("variance", pa.float64()),
        ("df", pa.float64()),
        ("systematic", pa.float64()),
        ("open_low", pa.bool_()),
        ("open_high", pa.bool_()),
        ("scale", pa.string()),
        (
            "units",
            pa.list_(
                pa.struct([("seed", pa.int64()), ("size", pa.int64()), ("value", pa.float64())])
            ),
        ),
        ("n_seeds", pa.int64()),
        ("n_sizes", pa.int64()),
        ("unit", pa.string()),
        ("note", pa.string()),  # why there is no value, or what stands in the way of a claim
    ]
)


@dataclass(frozen=True, kw_only=True)
class Of:
    """What an estimate is of; fields as the columns of `SCHEMA`."""

    statistic: str
    unit: str
    arm: str = ""
    baseline: str = ""
    axis: str = "width"
    fixed: int = 0
    size: int = 0
    rate: float = math.nan
    quantity: str = ""
    at: str = ""
    n_sizes: int = 1  # said where the units do not tell: one per seed over several sizes
    note: str = ""


Row = tuple[Of, Estimate]


def table(experiment: str, rows: Iterable[Row]) -> pa.Table:
    """Return the rows as the table that is stored; units of several sizes are counted."""
    records = [
        {
            "experiment": experiment,
            **vars(of),
            **estimate.as_row(),
            "note": of.note or estimate.note,
            "n_seeds": len({unit.seed for unit in estimate.units if unit.seed >= 0}),
            "n_sizes": max(of.n_sizes, len({unit.size for unit in estimate.units})),
        }
        for of, estimate in rows
    ]
    return pa.Table.from_pylist(records, schema=SCHEMA)


def courses_table(experiment: str, rows: Iterable[tuple[int, Row]]) -> pa.Table:
    """Return rows with the step that each is of as the table of courses."""
    every = list(rows)
    steps = pa.array([step for step, _ in every], pa.int64())
    return table(experiment, (row for _, row in every)).append_column("step", steps)


class Estimates:
    """The stored estimates of one experiment."""

    def __init__(self, frame: pd.DataFrame) -> None:
        """Take the frame of a stored table."""
        self.frame = frame

    def rows(self, statistic: str, **where: str | float) -> pd.DataFrame:
        """Return the rows of a statistic whose columns hold what `where` says."""
        frame = self.frame[self.frame["statistic"] == statistic]
        for column, wanted in where.items():
            frame = frame[frame[column] == wanted]
        return frame

    def one(self, statistic: str, **where: str | float) -> Estimate | None:
        """Return the one estimate that matches; None if there is none.

        Raises:
            ValueError: several match: two depths of a width experiment, say.
        """
        found = self.rows(statistic, **where)
        if len(found) > 1:
            raise ValueError(f"{len(found)} rows of {statistic} match {where}: name one of them")
        return None if found.empty else estimate_of(found.iloc[0])

    def sizes(self, statistic: str, arm: str) -> list[int]:
        """Return the sizes that an arm has rows of, ascending, without the pooled one."""
        found = self.rows(statistic, arm=arm)["size"]
        return sorted(int(size) for size in found.unique() if size)

    @property
    def arms(self) -> set[str]:
        """The names of the arms."""
        return set(self.frame["arm"]) - {""}

    @property
    def axis(self) -> Axis:
        """Along which the sizes grow: the width, unless a row names another."""
        named = set(self.frame["axis"])
        return next((axis for axis in AXES[1:] if axis in named), "width")

    @property
    def extent(self) -> tuple[int, int]:
        """The smallest number of seeds of any sweep, and the largest number of sizes of any arm."""
        sweeps = self.rows("best_rate")
        sizes = sweeps.groupby(["arm", "fixed"])["size"].nunique()
        return int(sweeps["n_seeds"].min()), int(sizes.max())

    def shown(self, statistic: str, confidence: float, **where: str | float) -> pd.DataFrame:
        """Return the rows with `ci_low` and `ci_high` beside `value`, for display alone."""
        found = self.rows(statistic, **where)
        limits = [estimate_of(row).interval(confidence) for _, row in found.iterrows()]
        return found.assign(
            ci_low=[interval.low for interval in limits],
            ci_high=[interval.high for interval in limits],
        )


def estimate_of(row: pd.Series | Mapping[str, Any]) -> Estimate:
    """Return the estimate of a row of the stored table."""
    return Estimate.from_row(row)  # type: ignore[arg-type]


def lowest(rows: pd.DataFrame) -> int:
    """Return the place of the row with the smallest value, the first where none has one."""
    return int(rows["value"].fillna(math.inf).argmin())
