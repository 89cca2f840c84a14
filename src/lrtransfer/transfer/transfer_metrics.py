"""Metrics of transfer that later work proposed, in the form in which sweeps can answer them.

Kalra & Barkeshli (arXiv 2605.21486) judge transfer by three numbers: how well a scaling law fits
the optimal hyperparameter (fit error E), how robust the loss is to errors of the extrapolation
(robustness exponent κ), and what the parameterization costs in loss at large size (asymptotic
penalty R(∞)). Ghosh, Wu & Bietti (arXiv 2512.22768) call transfer fast where the loss given up by
using a small net's optimum vanishes faster with its size than the gap in loss between that net and
a very large one, and useful where tuning small therefore costs less compute than tuning large; they
show the two to be equivalent for a compute-optimal grid search.

Both are known here by abstract, not by their formulas; the estimators below are this project's own:

- E: root mean square of the sizes' optima about the best law (AICc), in doublings.
- κ: minus the slope, on log2 size, of log2 of the log loss's rise one doubling off the optimum,
  mean of both sides. Positive: an error of the rate costs less on larger nets.
- R: best loss of the arm over the best loss of any arm at the largest size that all have, minus 1;
  `penalty_slope` is the slope of log2 of that ratio per doubling. R(∞) itself would need a law
  with an offset of the loss: it is not extrapolated.
- Transfer's share ρ: the loss that the largest net gives up with the optimum of a smaller size,
  over the gap in loss between that size and the largest net; both summed over sizes. Near 0 the
  small net's optimum is as good as the own one, near 1 it costs as much as staying small.
- Rate: the slope of log2 of (u_2n − u_n)² / (L_n − L_2n) on log2 n, between neighbouring sizes. A
  loss is quadratic about its optimum, so transfer is fast where the rate is below zero, and `fast`
  says so only where its interval is. Neighbours are compared because distances to the largest net,
  as a proxy of the infinite one, go to zero there by construction, the squared one the faster.

Intervals are jackknives over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.intervals import UNKNOWN, Interval, half_width, jackknife_variance, line
from lrtransfer.transfer.laws import fit_laws
from lrtransfer.transfer.predict import PredictionRefused, known_optima
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "fit_error",
    "law",
    "robustness",
    "robustness_low",
    "robustness_high",
    "penalty",
    "penalty_size",
    "penalty_slope",
    "share",
    "share_low",
    "share_high",
    "rate",
    "rate_low",
    "rate_high",
    "fast",
]

#: How far off the optimum the rise of the loss is read, doublings.
OFFSET = 1.0


def transfer_metrics(sweeps: list[Sweep], confidence: float) -> pd.DataFrame:
    """Return one row per arm and fixed value; NaN where an arm lacks what a metric needs."""
    names = dict.fromkeys((s.arm, s.fixed) for s in sweeps)
    groups = {
        name: sorted((s for s in sweeps if (s.arm, s.fixed) == name), key=lambda s: s.size)
        for name in names
    }
    best = {name: {s.size: _best(s) for s in group} for name, group in groups.items()}
    rows = []
    for (arm, fixed), group in groups.items():
        robustness = _jackknifed(group, _robustness, confidence)
        share = _jackknifed(group, _mean_share, confidence)
        rate = _jackknifed(group, _rate, confidence)
        rivals = [of for (_, other), of in best.items() if other == fixed]
        rows.append(
            {
                "arm": arm,
                "axis": group[0].axis,
                "fixed": fixed,
                **_fit_error(group),
                "robustness": robustness.value,
                "robustness_low": robustness.low,
                "robustness_high": robustness.high,
                **_penalty(best[arm, fixed], rivals),
                "share": share.value,
                "share_low": share.low,
                "share_high": share.high,
                "rate": rate.value,
                "rate_low": rate.low,
                "rate_high": rate.high,
                "fast": _word(rate),
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _fit_error(group: list[Sweep]) -> dict[str, Any]:
    try:
        best = fit_laws(known_optima(group))[0]
    except PredictionRefused:
        return {"fit_error": float("nan"), "law": None}
    return {"fit_error": best.rms, "law": best.name}


def _optimum(sweep: Sweep) -> float:
    vertices, edges = sweep.vertices
    usable = np.isfinite(vertices) & (edges == 0)
    return float(vertices.mean()) if usable.all() and len(vertices) else float("nan")


def _best(sweep: Sweep) -> float:
    where = _optimum(sweep)
    return float(sweep.mean_loss_at(where)[0]) if math.isfinite(where) else float("nan")


def _robustness(group: list[Sweep]) -> float:
    rises = []
    for sweep in group:
        at = _optimum(sweep)
        log_loss = np.log(sweep.mean_loss_at([at - OFFSET, at, at + OFFSET]))
        rises.append((log_loss[0] + log_loss[2]) / 2 - log_loss[1])
    return -_slope(group, np.array(rises))


def _shares(group: list[Sweep]) -> tuple[Array, Array]:
    """Return the loss given up at the largest net and the gap in loss, per smaller size."""
    largest = group[-1]
    best = _best(largest)
    given_up = np.array([largest.mean_loss_at(_optimum(s))[0] - best for s in group[:-1]])
    gap = np.array([_best(s) - best for s in group[:-1]])
    return given_up, gap


def _mean_share(group: list[Sweep]) -> float:
    if len(group) < 2:
        return float("nan")
    given_up, gap = _shares(group)
    return float(given_up.sum() / gap.sum()) if np.all(gap > 0) else float("nan")


def _rate(group: list[Sweep]) -> float:
    """Return the rate; NaN with fewer than three steps of size, or where the loss does not fall."""
    if len(group) < 4:
        return float("nan")
    moves = np.diff([_optimum(s) for s in group])
    falls = -np.diff([_best(s) for s in group])
    return _slope(group[:-1], moves**2 / falls) if np.all(falls > 0) else float("nan")


def _slope(group: list[Sweep], values: Array) -> float:
    """Return the slope of log2(values) on log2 size; NaN unless all are positive and finite."""
    if len(values) < 2 or not np.all(np.isfinite(values)) or np.any(values <= 0):
        return float("nan")
    x = np.log2([s.size for s in group])
    return float(line(x, np.log2(values)).slope)


def _penalty(own: dict[int, float], rivals: list[dict[int, float]]) -> dict[str, float]:
    common = sorted(set(own).intersection(*rivals))
    ratio = np.array([own[size] / min(of[size] for of in rivals) for size in common])
    if not len(ratio) or not np.all(np.isfinite(ratio)):
        return {"penalty": float("nan"), "penalty_size": 0, "penalty_slope": float("nan")}
    x = np.log2(np.array(common, dtype=np.float64))
    slope = float(line(x, np.log2(ratio)).slope) if len(common) > 1 else float("nan")
    return {"penalty": float(ratio[-1] - 1), "penalty_size": common[-1], "penalty_slope": slope}


def _jackknifed(
    group: list[Sweep], metric: Callable[[list[Sweep]], float], confidence: float
) -> Interval:
    """Return a metric with its jackknife interval, a seed left out of every size at once."""
    value = metric(group)
    seeds = {len(s.valleys) for s in group}
    if not math.isfinite(value):
        return UNKNOWN
    if len(seeds) > 1 or min(seeds) < 2:
        return Interval(value, float("nan"), float("nan"))
    n = seeds.pop()
    others = np.array([metric([_without(s, i) for s in group]) for i in range(n)])
    if not np.all(np.isfinite(others)):
        return Interval(value, float("nan"), float("nan"))
    half = half_width((float(jackknife_variance(others)), n - 1), confidence=confidence)
    return Interval(value, value - half, value + half)


def _without(sweep: Sweep, seed: int) -> Sweep:
    kept = tuple(v for i, v in enumerate(sweep.valleys) if i != seed)
    return Sweep(sweep.arm, sweep.axis, sweep.fixed, sweep.size, kept)


def _word(rate: Interval) -> str:
    if not math.isfinite(rate.low) or not math.isfinite(rate.high):
        return "not resolved"
    if rate.high < 0:
        return "yes"
    return "no" if rate.low >= 0 else "open"
