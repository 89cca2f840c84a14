"""Optimal learning rate per size (width or depth), in log2, with its interval.

Per seed: the vertex of `valley.vertices`. Estimate: the mean over seeds. Interval: a Student t over
seeds with the seed variance pooled over the sizes of an arm (assumed equal there: with 3 seeds
alone t is 4.3), widened by the estimator's systematic error `valley.RESOLUTION`, so that many
seeds do not make a coarse grid look fine.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer import valley
from lrtransfer.transfer.intervals import UNKNOWN, Interval, normal_quantile, t_quantile
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "size",
    "log2_lr",
    "ci_low",
    "ci_high",
    "at_edge",
    "n_seeds",
    "grid_log2_lr",
    "loss",
    "valley_low",
    "valley_high",
]

#: A learning rate belongs to the valley while the mean loss is within this factor of the optimum's.
VALLEY_FACTOR = 1.1

_EDGE_NAMES = {-1: "low", 0: "none", 1: "high"}


def seed_vertices(sweep: Sweep) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return the vertices (S,) of a sweep's seeds, NaN if all diverged, and their edges (S,)."""
    return sweep.vertices


def optima(sweeps: list[Sweep], confidence: float) -> pd.DataFrame:
    """Return the table of optima, one row per sweep (columns: `COLUMNS`).

    A seed whose minimum lies at the grid's edge counts as that edge, and opens the interval on that
    side: the optimum is censored. `at_edge` names the side of the majority of such seeds.

    Args:
        sweeps: of one experiment.
        confidence: e.g. 0.95.
    """
    rows = []
    found = [(sweep, *seed_vertices(sweep)) for sweep in sweeps]
    for sweep, vertices, edges in found:
        peers = [
            v[(e == 0) & np.isfinite(v)]
            for other, v, e in found
            if (other.arm, other.fixed) == (sweep.arm, sweep.fixed)
        ]
        finite = np.isfinite(vertices)
        optimum = interval(
            vertices[finite],
            edges[finite],
            pooled=pooled_variance(peers),
            spacing=sweep.spacing,
            confidence=confidence,
        )
        rows.append(
            {
                "arm": sweep.arm,
                "axis": sweep.axis,
                "fixed": sweep.fixed,
                "size": sweep.size,
                "log2_lr": optimum.value,
                "ci_low": optimum.low,
                "ci_high": optimum.high,
                "at_edge": _EDGE_NAMES[_edge_side(edges[finite])],
                "n_seeds": int(finite.sum()),
                **_valley_of_means(sweep, optimum.value),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def pooled_variance(groups: list[Array]) -> tuple[float, int]:
    """Return the variance over seeds pooled over sizes, and its degrees of freedom (0: NaN).

    Args:
        groups: per size the vertices (S,) that are inside the grid.
    """
    freedom = sum(max(len(g) - 1, 0) for g in groups)
    if freedom == 0:
        return float("nan"), 0
    squares = sum(float(np.sum((g - g.mean()) ** 2)) for g in groups if len(g) > 1)
    return squares / freedom, freedom


def interval(
    vertices: Array,
    edges: npt.NDArray[np.int64],
    *,
    pooled: tuple[float, int],
    spacing: float,
    confidence: float,
) -> Interval:
    """Return the mean of one size's vertices (S,) with its interval, in log2.

    Args:
        vertices: (S,) finite vertices; edge seeds sit at the edge.
        edges: (S,) -1, 0 or 1.
        pooled: variance of one seed's vertex and its degrees of freedom (`pooled_variance`).
        spacing: of the grid, in doublings; NaN for a single rate, which tells nothing.
        confidence: e.g. 0.95.
    """
    n = len(vertices)
    if n == 0:
        return UNKNOWN
    mean = float(vertices.mean())
    if n == 1:
        return Interval(mean, float("nan"), float("nan"))
    if np.isnan(spacing):
        return Interval(mean, -np.inf, np.inf)
    variance, freedom = pooled
    seeds = float(t_quantile(confidence, freedom)) * np.sqrt(variance / n)
    half = float(np.hypot(seeds, normal_quantile(confidence) * valley.RESOLUTION * spacing))
    low = -np.inf if np.any(edges < 0) else mean - half
    high = np.inf if np.any(edges > 0) else mean + half
    return Interval(mean, float(low), float(high))


def _edge_side(edges: npt.NDArray[np.int64]) -> int:
    low, high = int(np.sum(edges < 0)), int(np.sum(edges > 0))
    return 0 if low == high == 0 else (-1 if low >= high else 1)


def _valley_of_means(sweep: Sweep, optimum: float) -> dict[str, float]:
    """Describe the seed-mean loss: its best grid point, its value at the optimum, its valley."""
    blank = dict.fromkeys(("grid_log2_lr", "loss", "valley_low", "valley_high"), float("nan"))
    low, high = sweep.grid
    if not np.isfinite(optimum) or low == high:
        return blank
    grid = np.unique(np.concatenate([v.log2_lr for v in sweep.valleys]))
    means = sweep.mean_loss_at(grid)
    if np.all(np.isnan(means)):
        return blank
    loss = float(sweep.mean_loss_at(optimum)[0])
    fine = np.linspace(low, high, 64 * int(np.ceil(high - low)) + 1)
    within = sweep.mean_loss_at(fine) <= VALLEY_FACTOR * loss
    start = int(np.argmin(np.abs(fine - optimum)))
    left = start - int(np.argmin(np.append(within[start::-1], False))) + 1
    right = start + int(np.argmin(np.append(within[start:], False))) - 1
    return {
        "grid_log2_lr": float(grid[np.nanargmin(means)]),
        "loss": loss,
        "valley_low": float(fine[min(left, start)]),
        "valley_high": float(fine[max(right, start)]),
    }
