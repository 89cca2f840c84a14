"""Curves of the measured runs: one table, and frames of seeds by steps per size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.estimate import Estimate, of_seeds
from lrtransfer.transfer.size import POOLED, Axis, with_size

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """One quantity of one arm (and fixed value) over time.

    Attributes:
        by_size: per size a frame of the quantity, one row per seed, one column per step (updates
            made, 0 = untrained); NaN where a run has no value there (it diverged before).
    """

    arm: str
    axis: Axis
    fixed: int
    quantity: str
    by_size: dict[int, pd.DataFrame]

    @property
    def place(self) -> dict[str, Any]:
        """What its estimates are of, as fields of `estimates.Of`."""
        return {
            "arm": self.arm,
            "axis": self.axis,
            "fixed": self.fixed,
            "quantity": self.quantity,
        }

    def over(self, size: int) -> dict[str, Any]:
        """Return `place` at one size, or with the number of sizes that `POOLED` pools."""
        pooled = {"n_sizes": len(self.by_size)} if size == POOLED else {}
        return {**self.place, "size": size, **pooled}

    @property
    def steps(self) -> list[int]:
        """The steps at which any of its runs was measured, ascending."""
        return sorted({int(step) for table in self.by_size.values() for step in table.columns})

    @property
    def largest(self) -> int:
        """The largest net that has values: the reference of the consistency metrics."""
        return max(self.by_size)


def measured_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `curves` of measured runs, with their settings (size, lr) joined.

    Raises:
        ValueError: an arm is measured at several learning rates (its curves would be mixed).
    """
    columns = ["key", "arm", "axis", "fixed", "size", "seed", "lr"]
    chosen = with_size(runs).loc[runs["measured"].astype(bool), columns]
    rates = chosen.groupby(["arm", "fixed"])["lr"].nunique()
    if (rates > 1).any():
        arms = sorted({arm for arm, _ in rates[rates > 1].index})
        raise ValueError(
            f"runs measures several learning rates for the arms {arms}: keep one reference "
            "learning rate per arm"
        )
    return chosen.merge(curves, on="key", how="inner", validate="one_to_many")


def quantity_curves(measured: pd.DataFrame, quantity: str) -> Iterator[Curves]:
    """Yield the curves of `quantity` per arm (in order of appearance); none if absent."""
    if quantity not in measured.columns:
        return
    present = measured.dropna(subset=[quantity])
    for arm, of_arm in present.groupby("arm", sort=False):
        for _, group in of_arm.groupby("fixed"):
            first = group.iloc[0]
            by_size = {
                int(rows["size"].iloc[0]): rows.pivot(index="seed", columns="step", values=quantity)
                for _, rows in group.groupby("size")
            }
            yield Curves(str(arm), first["axis"], int(first["fixed"]), quantity, by_size)


def means_over_seeds(values: pd.DataFrame) -> Iterator[tuple[int, Estimate]]:
    """Yield size and mean over seeds, last the pooled one (`POOLED`).

    The pooled value of a seed is its mean over sizes, and the estimate is over those, so that what
    sizes share within a seed (its data order) is not counted as information. A seed that lacks a
    size has none: sizes differ, and it would tell of fewer.

    Args:
        values: one row per seed, one column per size; NaN where missing, which is left out.
    """
    for size, column in [*values.items(), (POOLED, values.mean(axis=1, skipna=False))]:
        net = int(str(size))
        yield net, of_seeds(column, column.index, net)


def log2(values: npt.ArrayLike) -> Array:
    """Return log2, NaN where a value is not positive."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.log2(np.where(numbers > 0, numbers, np.nan))
