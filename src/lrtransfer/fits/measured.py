"""Curves of the measured runs: one table, and arrays of seeds by steps per width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """One quantity of one arm and depth over time.

    Attributes:
        by_width: per width a frame of the quantity, one row per seed, one column per step (updates
            made, 0 = untrained); NaN where a run has no value there (it diverged before).
    """

    arm: str
    depth: int
    quantity: str
    by_width: dict[int, pd.DataFrame]

    @property
    def widest(self) -> int:
        """The widest net that has values: the reference of the consistency metrics."""
        return max(self.by_width)


def measured_curves(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `curves` of measured runs, with arm, depth, width, seed and lr joined.

    Raises:
        ValueError: an arm is measured at several learning rates at one depth (its curves would be
            mixed).
    """
    chosen = runs.loc[runs["measured"].astype(bool), ["key", "arm", "depth", "width", "seed", "lr"]]
    rates = chosen.groupby(["arm", "depth"])["lr"].nunique()
    if (rates > 1).any():
        raise ValueError(
            f"runs measures several learning rates for (arm, depth) {list(rates[rates > 1].index)}:"
            " keep one reference learning rate per arm"
        )
    return chosen.merge(curves, on="key", how="inner", validate="one_to_many")


def quantity_curves(measured: pd.DataFrame, quantity: str) -> Iterator[Curves]:
    """Yield the curves of `quantity` per arm (in order of appearance) and depth; none if absent."""
    if quantity not in measured.columns:
        return
    present = measured.dropna(subset=[quantity])
    for arm, of_arm in present.groupby("arm", sort=False):
        for _, group in of_arm.groupby("depth"):
            by_width = {
                int(rows["width"].iloc[0]): rows.pivot(
                    index="seed", columns="step", values=quantity
                )
                for _, rows in group.groupby("width")
            }
            yield Curves(str(arm), int(group["depth"].iloc[0]), quantity, by_width)
