"""Tables of runs that are not ours, with known optima."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pandas as pd


def sweep_table(
    slopes: Mapping[str, float],
    *,
    sizes: Iterable[float] = (64, 128, 256, 512),
    grid: Iterable[float] = range(-8, 2),
    seeds: Iterable[int] = (0, 1, 2),
    noise: float = 0.01,
    draw: int = 0,
) -> pd.DataFrame:
    """One row a run; arm -> octaves per octave by which its optimum, 2^-3 at 64, moves."""
    rng = np.random.default_rng(draw)
    rows = []
    for (arm, slope), n, k, seed in product(slopes.items(), sizes, list(grid), list(seeds)):
        away = k + 3 - slope * np.log2(n / 64) + 3 * noise * rng.normal()
        rows.append(
            {
                "method": arm,
                "width": n,
                "lr": 2.0**k,
                "seed": seed,
                "loss": 2 + 0.1 * away**2 + noise * rng.normal(),
            }
        )
    return pd.DataFrame(rows)


def two_axis_table(draw: int, *, n: float = -0.3, d: float = -0.15) -> pd.DataFrame:
    """Runs of nets of N parameters on D tokens, with a batch size to be tuned."""
    rng = np.random.default_rng(draw)
    rows: list[dict[str, Any]] = []
    for (i, size), (j, tokens) in product(enumerate((1e7, 4e7, 16e7)), enumerate((1e9, 4e9, 16e9))):
        for seed in (0, 1):
            shift = 0.15 * rng.normal()
            for batch, k in product((32, 64, 128), range(-13, -3)):
                octaves = np.log2(batch / 64) - 0.5 * (j - 1)
                best = -8 + n * 2 * (i - 1) + d * 2 * (j - 1) + 0.2 * octaves + shift
                away = k - best
                loss = 3 - 0.1 * i - 0.05 * j + 0.02 * octaves**2 + 0.05 * away**2
                rows.append(
                    {
                        "N": size,
                        "D": tokens,
                        "batch": batch,
                        "lr": 2.0**k,
                        "seed": seed,
                        "loss": loss + 0.003 * rng.normal(),
                    }
                )
    return pd.DataFrame(rows)
