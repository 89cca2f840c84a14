"""Where the sharpness ends relative to the edge of stability, 2/η₀ (Cohen et al. 2021)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lrtransfer.fits.consistency import POOLED
from lrtransfer.fits.intervals import mean_interval

COLUMNS = ["arm", "depth", "width", "ratio", "ci_low", "ci_high", "n_seeds"]


def edge_of_stability(measured: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return sharpness · η₀ / 2 at an arm's last measured step: 1 is the edge of stability.

    One row per arm, depth and width, and one pooled (`width` 0) over each seed's mean over widths;
    t intervals over seeds. Runs that diverged before the last step are left out of the mean and of
    `n_seeds`.

    Args:
        measured: curves of measured runs, with `lr` (η₀) joined and the width-free `sharpness`.
        confidence: e.g. 0.95.
    """
    if "sharpness" not in measured.columns:
        return pd.DataFrame(columns=COLUMNS)
    present = measured.dropna(subset=["sharpness"])
    rows = []
    for arm, of_arm in present.groupby("arm", sort=False):
        for depth, group in of_arm.groupby("depth"):
            final = group[group["step"] == group["step"].max()]
            ratio = final.assign(ratio=final["sharpness"] * final["lr"] / 2).pivot(
                index="seed", columns="width", values="ratio"
            )
            for width, values in [*ratio.items(), (POOLED, ratio.mean(axis=1))]:
                seeds = values.to_numpy(dtype=np.float64)
                mean = mean_interval(seeds, confidence)
                rows.append(
                    {
                        "arm": arm,
                        "depth": depth,
                        "width": width,
                        "ratio": mean.value,
                        "ci_low": mean.low,
                        "ci_high": mean.high,
                        "n_seeds": int(np.isfinite(seeds).sum()),
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)
