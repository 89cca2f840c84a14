"""The final loss of every sweep and learning rate, seed by seed, and the loss at equal price.

Runs of equal seed share initialisation and samples, so arms are compared seed by seed. Losses are
in log2: 1 is a factor of two. A diverged run counts with its initial loss: divergence is never
better than not training.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.transfer.estimate import of_seeds
from lrtransfer.transfer.size import with_size

Array = npt.NDArray[np.float64]

_PRICE = "gradient_evaluations"
#: Run key -> price and log2 of the loss at the steps whose price is known.
Spent = dict[str, tuple[Array, Array]]


def log2_losses(runs: pd.DataFrame) -> pd.Series:
    """Return log2 of the final loss of each run."""
    failed = (runs["status"] != "ok") | ~np.isfinite(runs["final_loss"])
    loss = runs["final_loss"].where(~failed, runs["initial_loss"])
    return pd.Series(np.log2(np.maximum(loss, np.finfo(float).tiny)), index=runs.index)


def final_losses(runs: pd.DataFrame) -> Iterator[Row]:
    """Yield the final loss at each learning rate, and the mean over seeds of each one's best rate.

    Args:
        runs: of one experiment.
    """
    sized = with_size(runs).assign(log2_loss=log2_losses(runs))
    for (arm, fixed, size), group in sized.groupby(["arm", "fixed", "size"], sort=False):
        place = {
            "arm": str(arm),
            "axis": group["axis"].iloc[0],
            "fixed": int(str(fixed)),
            "size": int(str(size)),
        }
        losses = group.pivot(index="seed", columns="lr", values="log2_loss")
        for rate, column in losses.items():
            of = Of(statistic="log2_loss", unit="octaves", rate=float(str(rate)), **place)
            yield of, of_seeds(column, column.index, place["size"])
        best = losses.idxmin(axis=1).astype(float)
        of = Of(statistic="best_rate", unit="learning rate", **place)
        yield of, of_seeds(best, best.index, place["size"])


def losses_at_equal_price(runs: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Row]:
    """Yield each arm's loss once it has cost what the whole of another arm cost, at its best rate.

    The price is in gradient evaluations, so only experiments that count them have rows. The loss is
    interpolated linearly in the logarithm between kept steps; a diverged run, which has no curve to
    the end, counts with its initial loss.
    """
    if _PRICE not in curves.columns:
        return
    sized = with_size(runs).assign(log2_loss=log2_losses(runs))
    known = curves.dropna(subset=[_PRICE, "loss"]).sort_values("step")
    spent: Spent = {
        str(key): (curve[_PRICE].to_numpy(float), np.log2(curve["loss"].to_numpy(float)))
        for key, curve in known.groupby("key")
    }
    for (fixed, size), net in sized.groupby(["fixed", "size"], sort=False):
        budgets = {str(arm): _budget(group, spent) for arm, group in net.groupby("arm")}
        for (arm, rate), group in net.groupby(["arm", "lr"], sort=False):
            ends = list(zip(group["key"], group["status"], group["log2_loss"], strict=True))
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
                yield of, of_seeds(values, group["seed"], int(str(size)))


def _budget(group: pd.DataFrame, spent: Spent) -> float:
    """Return the median price of an arm's runs at the rate that is best on average."""
    losses = group.pivot(index="seed", columns="lr", values="log2_loss")
    chosen = group[group["lr"] == losses.mean().idxmin()]
    prices = [float(spent[key][0].max()) for key in chosen["key"] if key in spent]
    return float(np.median(prices)) if prices else np.nan


def _at_price(curve: tuple[Array, Array] | None, budget: float) -> float:
    return np.nan if curve is None else float(np.interp(budget, *curve))
