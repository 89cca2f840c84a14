"""What claims on learning-rate tuners measure: effects over seeds, from runs and their curves.

Runs of equal seed share initialisation and samples, so arms are compared seed by seed and the t
interval is over the differences. Losses are compared as log2 of their ratio: 1 is a factor of two.
A diverged run counts with its initial loss: divergence is never better than not training.

Every function returns None where the experiment lacks what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.intervals import Interval, mean_interval

Fits = Mapping[str, pd.DataFrame]
Array = npt.NDArray[np.float64]

#: What claims read beside the fit tables: runs, curves, and one row of settings.
EVIDENCE = ("runs", "curves", "settings")


def evidence(
    runs: pd.DataFrame, curves: pd.DataFrame, confidence: float
) -> dict[str, pd.DataFrame]:
    """Return the tables that the effects here read, by name.

    Args:
        runs: one row per run of one experiment.
        curves: one row per run and kept step.
        confidence: of the intervals, e.g. 0.95.
    """
    settings = pd.DataFrame({"confidence": [confidence]})
    return dict(zip(EVIDENCE, (runs, curves, settings), strict=True))


def descending(fits: Fits, arm: str) -> str:
    """Return the arm's name among those whose update surely descends.

    Line search and the greedy rate are defined for such updates; beside momentum and Adam an
    experiment has arms ``plain_…`` and ``rms_…`` without.
    """
    names = set(fits["runs"]["arm"]) if "runs" in fits else set()
    found = (f"{prefix}{arm}" for prefix in ("plain_", "rms_") if f"{prefix}{arm}" in names)
    return next(found, arm)


def best_rate(fits: Fits, arm: str, size: int | None = None) -> float | None:
    """Return the learning rate with the lowest mean log loss over seeds."""
    losses = _losses(fits, arm, size)
    return None if losses is None else float(str(losses.mean().idxmin()))


def loss_ratio(
    fits: Fits,
    arm: str,
    baseline: str,
    *,
    rate: float | None = None,
    baseline_rate: float | None = None,
) -> Interval | None:
    """Return log2 of the final loss of `arm` over that of `baseline`.

    Args:
        fits: with `evidence`.
        arm: name.
        baseline: name.
        rate: learning rate of `arm`; None is its best, chosen on the same seeds, which favours
            the arm with more rates.
        baseline_rate: likewise.
    """
    pair = [
        _of_rate(_losses(fits, name, None), wanted)
        for name, wanted in ((arm, rate), (baseline, baseline_rate))
    ]
    return _difference(fits, *pair)


def loss_ratio_at_equal_price(
    fits: Fits, arm: str, baseline: str, *, rate: float | None = None
) -> Interval | None:
    """Return log2 of the loss ratio once both have cost what the whole of `baseline` cost.

    The price is in gradient evaluations. The loss of `arm` there is interpolated linearly in the
    logarithm between kept steps; diverged runs count with their initial loss.

    Args:
        fits: with `evidence`.
        arm: name; at `rate`, or at its best.
        baseline: name; at its best learning rate.
        rate: learning rate of `arm`.
    """
    if "runs" not in fits:
        return None
    chosen = best_rate(fits, arm) if rate is None else rate
    base_rate = best_rate(fits, baseline)
    if chosen is None or base_rate is None:
        return None
    budget = _series(fits, baseline, base_rate, lambda c: float(c["gradient_evaluations"].max()))
    final = _of_rate(_losses(fits, baseline, None), base_rate)
    if budget is None or final is None or budget.empty:
        return None
    price = float(budget.median())

    def loss_at_price(curve: pd.DataFrame) -> float:
        known = curve.dropna(subset=["gradient_evaluations", "loss"])
        spent, loss = (known[name].to_numpy(float) for name in ("gradient_evaluations", "loss"))
        return float(np.interp(price, spent, np.log2(loss))) if len(spent) else np.nan

    values = _series(fits, arm, chosen, loss_at_price)
    losses = _of_rate(_losses(fits, arm, None), chosen)
    if values is None or losses is None:
        return None
    # A diverged run has no curve to the end.
    diverged = _diverged(fits, arm, chosen)
    values = values.where(~values.index.isin(diverged), losses.reindex(values.index))
    return _difference(fits, values, final)


def gain_change(fits: Fits, low: str | int, high: str | int) -> Interval | None:
    """Return how much more σ = 2 gains on σ = 1 at `high` than at `low`, in log2 of the loss.

    Args:
        fits: with `evidence`; learning rates 0.5 and 1 of CDAT with σ = 2.
        low: an arm, or a size of the one arm.
        high: likewise.
    """
    gains = []
    for place in (low, high):
        losses = (
            _losses(fits, place, None)
            if isinstance(place, str)
            else _losses(fits, "on_edge", place)
        )
        greedy, edge = _of_rate(losses, 0.5), _of_rate(losses, 1.0)
        gains.append(None if greedy is None or edge is None else greedy - edge)
    return _difference(fits, gains[1], gains[0])


def best_sigma(fits: Fits, arm: str) -> Interval | None:
    """Return the σ of CDAT with the lowest loss of each seed, mean over seeds."""
    sigmas = _best_sigmas(fits, arm)
    return None if sigmas is None else mean_interval(sigmas.to_numpy(), _confidence(fits))


def sigma_shift(fits: Fits, arm: str, baseline: str) -> Interval | None:
    """Return the best σ of `arm` minus that of `baseline`, seed by seed."""
    return _difference(fits, _best_sigmas(fits, arm), _best_sigmas(fits, baseline))


def shift_difference(fits: Fits, wide: tuple[str, str], narrow: tuple[str, str]) -> Interval | None:
    """Return `sigma_shift` of the pair `wide` minus that of the pair `narrow`."""
    parts = [_best_sigmas(fits, arm) for arm in (*wide, *narrow)]
    if any(part is None for part in parts):
        return None
    a, b, c, d = (part for part in parts if part is not None)
    return _difference(fits, a - b, c - d)


def ratio_change(fits: Fits, low: tuple[str, str], high: tuple[str, str]) -> Interval | None:
    """Return the loss ratio of the pair `high` minus that of the pair `low`, at best rates."""
    parts = [_of_rate(_losses(fits, arm, None), None) for arm in (*low, *high)]
    if any(part is None for part in parts):
        return None
    a, b, c, d = (part for part in parts if part is not None)
    return _difference(fits, c - d, a - b)


def late_mean(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return the mean of a quantity over the second half of an arm's measured runs.

    Args:
        fits: with `evidence`.
        arm: name.
        quantity: a column, or two joined by ``*``.
    """
    return _over_seeds(fits, arm, lambda c: _late(_values(c, quantity)))


def late_difference(fits: Fits, arm: str, baseline: str, quantity: str) -> Interval | None:
    """Return `late_mean` of `arm` minus that of `baseline`, seed by seed."""
    pair = [_measured(fits, n, lambda c: _late(_values(c, quantity))) for n in (arm, baseline)]
    return _difference(fits, *pair)


def late_growth(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return log2 of a quantity's last value over that after a quarter of the run."""

    def growth(curve: pd.DataFrame) -> float:
        values = _values(curve, quantity)
        return float(np.log2(values[-1] / values[len(values) // 4])) if len(values) > 3 else np.nan

    return _over_seeds(fits, arm, growth)


def fall_from_peak(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return log2 of a quantity's last value over its largest."""

    def fall(curve: pd.DataFrame) -> float:
        values = _values(curve, quantity)
        return float(np.log2(values[-1] / values.max())) if len(values) > 1 else np.nan

    return _over_seeds(fits, arm, fall)


def rise_from_start(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return log2 of a quantity's mean over the second half over its first value."""

    def rise(curve: pd.DataFrame) -> float:
        values = _values(curve, quantity)
        return float(np.log2(_late(values) / values[0])) if len(values) > 1 else np.nan

    return _over_seeds(fits, arm, rise)


def share(fits: Fits, arms: tuple[str, ...], smaller: str, larger: str) -> Interval | None:
    """Return at which share of the measured steps one quantity is below another.

    Args:
        fits: with `evidence`.
        arms: whose measured runs count; a seed's share is the mean over them.
        smaller: column that should be below.
        larger: column that should be above.
    """

    def below(curve: pd.DataFrame) -> float:
        if not {smaller, larger} <= set(curve.columns):
            return np.nan
        known = curve.dropna(subset=[smaller, larger])
        return float((known[smaller] < known[larger]).mean()) if len(known) else np.nan

    parts = [_measured(fits, arm, below) for arm in arms]
    if any(part is None for part in parts):
        return None
    shares = pd.concat([part for part in parts if part is not None], axis=1).mean(axis=1)
    return mean_interval(shares.to_numpy(), _confidence(fits))


def _confidence(fits: Fits) -> float:
    return float(fits["settings"]["confidence"].iloc[0])


def _losses(fits: Fits, arm: str, size: int | None) -> pd.DataFrame | None:
    """Return log2 of the final losses, one row per seed, one column per learning rate."""
    if "runs" not in fits:
        return None
    runs = fits["runs"]
    chosen = runs[runs["arm"] == arm]
    if size is not None:
        axis = "depth" if chosen["depth"].nunique() > 1 else "width"
        chosen = chosen[chosen[axis] == size]
    if chosen.empty:
        return None
    failed = (chosen["status"] != "ok") | ~np.isfinite(chosen["final_loss"])
    loss = chosen["final_loss"].where(~failed, chosen["initial_loss"])
    table = chosen.assign(log=np.log2(np.maximum(loss, np.finfo(float).tiny)))
    return table.pivot(index="seed", columns="lr", values="log")


def _of_rate(losses: pd.DataFrame | None, rate: float | None) -> pd.Series | None:
    """Return one learning rate's losses by seed; None takes the best."""
    if losses is None:
        return None
    chosen = losses.mean().idxmin() if rate is None else rate
    return losses[chosen] if chosen in losses.columns else None


def _best_sigmas(fits: Fits, arm: str) -> pd.Series | None:
    losses = _losses(fits, arm, None)
    return None if losses is None else 2 * losses.idxmin(axis=1).astype(float)


def _diverged(fits: Fits, arm: str, rate: float) -> list[int]:
    runs = fits["runs"]
    found = runs[(runs["arm"] == arm) & (runs["lr"] == rate) & (runs["status"] != "ok")]
    return [int(seed) for seed in found["seed"]]


def _series(
    fits: Fits, arm: str, rate: float, value: Callable[[pd.DataFrame], float]
) -> pd.Series | None:
    """Return a number of each seed's curve at one learning rate."""
    runs = fits["runs"]
    chosen = runs[(runs["arm"] == arm) & (runs["lr"] == rate)]
    return _by_seed(fits, chosen, value)


def _measured(fits: Fits, arm: str, value: Callable[[pd.DataFrame], float]) -> pd.Series | None:
    """Return a number of each seed's measured curve."""
    if "runs" not in fits:
        return None
    runs = fits["runs"]
    return _by_seed(fits, runs[(runs["arm"] == arm) & runs["measured"].astype(bool)], value)


def _by_seed(
    fits: Fits, chosen: pd.DataFrame, value: Callable[[pd.DataFrame], float]
) -> pd.Series | None:
    curves = fits["curves"]
    found = {
        int(run["seed"]): value(curves[curves["key"] == run["key"]].sort_values("step"))
        for run in chosen.to_dict("records")
    }
    return pd.Series(found, dtype=float) if found else None


def _values(curve: pd.DataFrame, quantity: str) -> Array:
    """Return the finite values of a column, or of a product of columns, in order of steps."""
    columns = quantity.split("*")
    if not set(columns) <= set(curve.columns):
        return np.array([])
    product = curve[columns].astype(float).prod(axis=1, skipna=False)
    values = np.asarray(product, dtype=np.float64)
    return values[np.isfinite(values)]


def _late(values: Array) -> float:
    return float(values[len(values) // 2 :].mean()) if len(values) else np.nan


def _over_seeds(fits: Fits, arm: str, value: Callable[[pd.DataFrame], float]) -> Interval | None:
    values = _measured(fits, arm, value)
    return None if values is None else mean_interval(values.to_numpy(), _confidence(fits))


def _difference(fits: Fits, a: pd.Series | None, b: pd.Series | None) -> Interval | None:
    if a is None or b is None:
        return None
    return mean_interval((a - b).to_numpy(dtype=float), _confidence(fits))
