"""The final loss of every sweep and learning rate, seed by seed, and the loss at equal price.

Runs of equal seed share initialisation and samples, so arms are compared seed by seed. Losses are
in log2: 1 is a factor of two. A diverged run counts with its initial loss: divergence is never
better than not training. A loss that may be negative has no logarithm: where one run's is below
zero there are no ratios, and the best rates are read off the losses themselves.

The best rate of a seed is the vertex of the parabola through its lowest loss and the two beside it.
It is known to the grid's step: a systematic error of step/√12, as of a value that was rounded to
the grid. Where the lowest loss is at the grid's end the best rate lies beyond, which leaves the
interval open; beside a diverged run, which says where the valley ends and not how steep it is, the
grid point itself counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.transfer.estimate import Estimate, of_seeds
from lrtransfer.transfer.size import with_size

Array = npt.NDArray[np.float64]

_PRICE = "gradient_evaluations"
_NO_RATIO = Estimate(
    np.nan,
    note="Losses are below zero and have no ratio. Measure the drift, the optimum or the regret.",
)
#: Run key -> price and log2 of the loss at the steps whose price is known.
Spent = dict[str, tuple[Array, Array]]


def diverged(runs: pd.DataFrame) -> pd.Series:
    """Return which runs diverged, or ended at no number."""
    failed: pd.Series = (runs["status"] != "ok") | ~np.isfinite(runs["final_loss"].astype(float))
    return failed


def counted_loss(runs: pd.DataFrame) -> pd.Series:
    """Return the final losses, of diverged runs the initial ones."""
    return runs["final_loss"].where(~diverged(runs), runs["initial_loss"])


def _heights(runs: pd.DataFrame) -> tuple[pd.Series, bool]:
    """Return log2 of the final loss of each run, or the loss itself, and whether it is that."""
    loss = counted_loss(runs).to_numpy(float)
    signed = bool((loss < 0).any())
    return pd.Series(loss if signed else _log2(loss), index=runs.index), signed


def _log2(losses: Array) -> Array:
    """Return log2 of losses, those of nothing taken for the smallest number."""
    return np.asarray(np.log2(np.maximum(losses, np.finfo(float).tiny)))


def final_losses(runs: pd.DataFrame) -> Iterator[Row]:
    """Yield the final loss at each learning rate, and the mean over seeds of each one's best.

    Args:
        runs: of one experiment.
    """
    heights, signed = _heights(runs)
    sized = with_size(runs).assign(height=heights, failed=diverged(runs))
    for (arm, fixed, size), group in sized.groupby(["arm", "fixed", "size"], sort=False):
        place = {
            "arm": str(arm),
            "axis": group["axis"].iloc[0],
            "fixed": int(str(fixed)),
            "size": int(str(size)),
        }
        losses = group.pivot(index="seed", columns="lr", values="height")
        for rate, column in losses.items():
            of = Of(statistic="log2_loss", unit="octaves", rate=float(str(rate)), **place)
            yield of, _NO_RATIO if signed else of_seeds(column, column.index, place["size"])
        failed = group.pivot(index="seed", columns="lr", values="failed")
        of = Of(statistic="best_rate", unit="learning rate", **place)
        yield of, best_rate(losses, failed.eq(True), place["size"])


def best_rate(losses: pd.DataFrame, failed: pd.DataFrame, size: int) -> Estimate:
    """Return the mean over seeds of the best learning rate.

    Args:
        losses: seeds by rates, in log2 where they have one.
        failed: which of these runs diverged.
        size: of the net.
    """
    found = [_lowest(losses.loc[seed], failed.loc[seed]) for seed in losses.index]
    log2_rates, steps, ends = (np.array(column) for column in zip(*found, strict=True))
    best = of_seeds(2.0**log2_rates, losses.index, size)
    # A step in octaves is step · ln 2 of the rate.
    error = best.value * np.log(2) * float(np.mean(steps)) / np.sqrt(12)
    return replace(
        best,
        systematic=float(error),
        open_low=bool(np.any(ends < 0) or np.any(steps == 0)),
        open_high=bool(np.any(ends > 0) or np.any(steps == 0)),
    )


def _lowest(losses: pd.Series, failed: pd.Series) -> tuple[float, float, int]:
    """Return one seed's best rate in log2, the step there, and the grid's end at which it is.

    The step is zero where there is one rate; the end −1, 1 or, inside, 0.
    """
    known = losses.dropna()
    x, y = np.log2(known.index.to_numpy(float)), known.to_numpy(float)
    wall = failed.loc[known.index].to_numpy(bool)
    at, last = int(np.argmin(y)), len(y) - 1
    around = slice(max(at - 1, 0), at + 2)
    step = float(np.mean(np.diff(x[around]))) if last else 0.0
    if not 0 < at < last:
        return float(x[at]), step, -1 if at == 0 else 1
    if wall[around].any():
        return float(x[at]), step, 0
    bend, slope, _ = np.polyfit(x[around] - x[at], y[around], 2)
    return float(x[at] - slope / (2 * bend) if bend > 0 else x[at]), step, 0


def losses_at_equal_price(runs: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Row]:
    """Yield each arm's loss once it has cost what the whole of another arm cost, at its best rate.

    The price is in gradient evaluations, so only experiments that count them have rows. The loss is
    interpolated linearly in the logarithm between kept steps; a diverged run, which has no curve to
    the end, counts with its initial loss, and an arm that never cost that much with its last one.
    """
    if _PRICE not in curves.columns:
        return
    heights, signed = _heights(runs)
    sized = with_size(runs).assign(height=heights)
    known = curves.dropna(subset=[_PRICE, "loss"]).sort_values("step")
    spent: Spent = {
        str(key): (curve[_PRICE].to_numpy(float), _log2(curve["loss"].to_numpy(float)))
        for key, curve in known.groupby("key")
    }
    for (fixed, size), net in sized.groupby(["fixed", "size"], sort=False):
        budgets = {str(arm): _budget(group, spent) for arm, group in net.groupby("arm")}
        for (arm, rate), group in net.groupby(["arm", "lr"], sort=False):
            ends = list(zip(group["key"], group["status"], group["height"], strict=True))
            for baseline, budget in budgets.items():
                if arm == baseline or not np.isfinite(budget):
                    continue
                values = [
                    float(end) if status != "ok" else _at_price(spent.get(key), budget)
                    for key, status, end in ends
                ]
                of = Of(
                    statistic="log2_loss_at_price",
                    unit="octaves",
                    arm=str(arm),
                    baseline=baseline,
                    axis=group["axis"].iloc[0],
                    fixed=int(str(fixed)),
                    size=int(str(size)),
                    rate=float(str(rate)),
                )
                yield of, _NO_RATIO if signed else of_seeds(values, group["seed"], int(str(size)))


def _budget(group: pd.DataFrame, spent: Spent) -> float:
    """Return the median price of an arm's runs at the rate that is best on average."""
    losses = group.pivot(index="seed", columns="lr", values="height")
    chosen = group[group["lr"] == losses.mean().idxmin()]
    prices = [float(spent[key][0].max()) for key in chosen["key"] if key in spent]
    return float(np.median(prices)) if prices else np.nan


def _at_price(curve: tuple[Array, Array] | None, budget: float) -> float:
    return np.nan if curve is None else float(np.interp(budget, *curve))
