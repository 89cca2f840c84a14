"""What claims measure: effects with intervals, read from the fit tables of one experiment.

Every function returns None where the experiment lacks what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from lrtransfer.transfer.intervals import Interval, difference
from lrtransfer.transfer.size import POOLED

Fits = Mapping[str, pd.DataFrame]


def read(
    fits: Fits,
    table: str,
    value: str,
    limits: tuple[str, str] = ("ci_low", "ci_high"),
    **where: str | int,
) -> Interval | None:
    """Return the value and limits of the one row of a fit table that matches `where`.

    Args:
        fits: fit tables by name.
        table: its name.
        value: column of the value.
        limits: columns of the interval's ends.
        **where: column = wanted content.

    Raises:
        ValueError: several rows match (two depths of a width experiment, say): the claim must name
            which one it means.
    """
    if table not in fits:
        return None
    rows = fits[table]
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    if len(rows) > 1:
        raise ValueError(f"{len(rows)} rows of {table} match {where}: the claim must name one")
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Interval(float(row[value]), float(row[limits[0]]), float(row[limits[1]]))


def drift(fits: Fits, arm: str) -> Interval | None:
    """Return how far an arm's optimum moves: log2 of the learning rate per doubling of size."""
    return read(fits, "drift", "slope", arm=arm)


def trend(fits: Fits, arm: str, quantity: str, at: str) -> Interval | None:
    """Return log2 of a quantity per doubling of size at the "start" or the "end" of training."""
    return read(fits, "trends", "slope", arm=arm, quantity=quantity, at=at)


def exponent(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return β of the distance to the largest net, |S_N − S_ref| ∝ t^β, mean over sizes."""
    return read(fits, "consistency", "beta", arm=arm, quantity=quantity, size=POOLED)


def overlap(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return the mean over time and sizes of |S_N − S_ref| / |S_ref|, S_ref the largest net's."""
    limits = ("overlap_low", "overlap_high")
    return read(fits, "consistency", "overlap", limits, arm=arm, quantity=quantity, size=POOLED)


def edge_ratio(fits: Fits, arm: str) -> Interval | None:
    """Return curvature over the edge of stability at the last measured step, mean over sizes."""
    return read(fits, "edge_of_stability", "ratio", arm=arm, size=POOLED)


def change(fits: Fits, arm: str, quantity: str) -> Interval | None:
    """Return log2 of a quantity's last over its first measured value, mean over sizes."""
    return read(fits, "changes", "log2_change", arm=arm, quantity=quantity, size=POOLED)


def minus(effect: Interval | None, other: Interval | None) -> Interval | None:
    """Return the difference of two independent effects (`intervals.difference`)."""
    return None if effect is None or other is None else difference(effect, other)


def extra_regret(fits: Fits, arm: str, baseline: str) -> Interval | None:
    """Return how much more loss `arm` gives up than `baseline` at the largest common net.

    In units of the loss; None without a net larger than the one whose optimum is used.
    """
    if "regret" not in fits:
        return None
    table = fits["regret"]
    common = _sizes(table, arm) & _sizes(table, baseline)
    if not common or max(common) == min(table["from_size"]):
        return None
    worse, better = (
        read(fits, "regret", "regret", arm=name, size=max(common)) for name in (arm, baseline)
    )
    return minus(worse, better)


def optimum_shift(fits: Fits, arm: str, baseline: str) -> Interval | None:
    """Return log2 of the optimum of `arm` over that of `baseline`, mean over their common sizes.

    The limits are averaged as they are, not in quadrature: part of an optimum's systematic error is
    the same at every size (`valley.RESOLUTION`), so more sizes do not narrow the interval.
    """
    if "optima" not in fits:
        return None
    common = sorted(_sizes(fits["optima"], arm) & _sizes(fits["optima"], baseline))
    optima = [
        [read(fits, "optima", "log2_lr", arm=name, size=size) for name in (arm, baseline)]
        for size in common
    ]
    shifts = [found for pair in optima if (found := minus(*pair)) is not None]
    if not shifts:
        return None
    return Interval(*(float(sum(part) / len(shifts)) for part in zip(*shifts, strict=True)))


def slope(fits: Fits, arm: str, quantity: str, at: str) -> Interval | None:
    """Return log2 of a quantity per doubling of size at "start" or "late" (`fits.phases`)."""
    return read(fits, "phase_slopes", "slope", arm=arm, quantity=quantity, at=at)


def phase(fits: Fits, arm: str, quantity: str, at: str) -> Interval | None:
    """Return log2 of a quantity at the largest net, at "start" or "late", or its "change"."""
    size = _largest(fits, "phases", arm)
    return read(fits, "phases", "log2_value", arm=arm, quantity=quantity, at=at, size=size)


def predictor(fits: Fits, quantity: str, window: str) -> Interval | None:
    """Return the rank correlation over arms of predicted and found drift (`fits.predictors`)."""
    table, value, compared = "predictors", "correlation", "signed"
    return read(fits, table, value, quantity=quantity, window=window, compared=compared)


def predictor_gap(fits: Fits, better: tuple[str, str], worse: tuple[str, str]) -> Interval | None:
    """Return the rank correlation of one (quantity, window) minus that of another."""
    table, value = "predictor_differences", "difference"
    return read(
        fits,
        table,
        value,
        quantity=better[0],
        window=better[1],
        baseline=worse[0],
        baseline_window=worse[1],
    )


def predicted_drift(fits: Fits, arm: str, quantity: str, window: str) -> Interval | None:
    """Return minus a quantity's log2 per doubling of size, at equal rate (`fits.predictors`)."""
    table, value = "predicted_drifts", "predicted"
    return read(fits, table, value, arm=arm, quantity=quantity, window=window)


def arm_gap(fits: Fits, arm: str, quantity: str, at: str = "late") -> Interval | None:
    """Return how an arm differs from the first one at the largest net (`fits.phases`)."""
    size = _largest(fits, "arm_differences", arm)
    table, value = "arm_differences", "difference"
    return read(fits, table, value, arm=arm, quantity=quantity, at=at, size=size)


def warmup(fits: Fits, quantity: str) -> Interval | None:
    """Return a summary of the implicit warm-up at the largest net (`fits.implicit_warmup`)."""
    table = fits.get("warmup_summary")
    if table is None or table.empty:
        return None
    return read(fits, "warmup_summary", "value", quantity=quantity, size=max(table["size"]))


def _largest(fits: Fits, table: str, arm: str) -> int:
    """Return the largest size of an arm in a fit table; 0 if it has none."""
    return max(_sizes(fits[table], arm), default=0) if table in fits else 0


def _sizes(table: pd.DataFrame, arm: str) -> set[int]:
    return set(table.loc[table["arm"] == arm, "size"])
