"""Runs of arms with planted drifts, which one measured quantity predicts and another does not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tests.transfer.frames import Quantity, make_curves, make_runs, parabola

DRIFTS = (-1.0, -0.6, -0.3, 0.0, 0.2, 0.5, 0.8)
FALLING = tuple(-drift for drift in DRIFTS)
UPDATES = "relative_update_without_decay"
STEPS = (0, 1, 8, 16)


def study(
    sharpness: Sequence[float] = FALLING,
    updates: Sequence[float] = (0.3, -0.2, 0.1, 0.4, -0.5, 0.2, -0.1),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One arm per drift; both quantities go as powers of the size, with 1 % between seeds."""
    runs, curves = [], []
    for index, drift in enumerate(DRIFTS):

        def optimum(size: int, seed: int, drift: float = drift) -> float:
            return drift * math.log2(size / 64)

        own = make_runs(parabola(optimum), arm=f"arm_{index}", grid=range(-5, 6))

        def law(exponent: float) -> Quantity:
            return lambda size, seed, t: size**exponent * 1.01**seed * np.ones(len(t))

        runs.append(own)
        quantities = {
            "edge_sharpness": law(sharpness[index]),
            UPDATES: law(updates[index]),
        }
        curves.append(make_curves(own, STEPS, **quantities))
    return pd.concat(runs, ignore_index=True), pd.concat(curves, ignore_index=True)
