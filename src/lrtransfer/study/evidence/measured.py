"""Curves of the measured runs: one table, and arrays of seeds by steps per size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.size import Axis, with_size

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
