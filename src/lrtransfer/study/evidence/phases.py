"""Measured quantities at the first update and late in training: sizes, slopes, arms compared.

``start`` is the first update, ``late`` the geometric mean over the measured updates of the second
half of the run, ``change`` the late value over the first. All are in log2, per seed; intervals are
Student's over seeds, with one slope or difference of each seed as one observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
import pandas as pd

from lrtransfer.study.evidence.measured import Curves
from lrtransfer.transfer.intervals import Interval, line, mean_interval
from lrtransfer.transfer.size import with_size

QUANTITIES = (
    "weight_alignment",
    "update_alignment_without_decay",
    "alignment_ratio_without_decay",
    "alignment_ratio_held_out",
    "relative_update_without_decay",
    "relative_change_without_decay",
    "weight_rms",
)
FINAL_LOSS = "final_loss"

_OF_ARM = ["arm", "axis", "fixed", "quantity", "at"]
_LIMITS = ["ci_low", "ci_high", "n_seeds"]
COLUMNS = [*_OF_ARM, "size", "log2_value", *_LIMITS]
SLOPE_COLUMNS = [*_OF_ARM, "slope", *_LIMITS]
DIFFERENCE_COLUMNS = [*_OF_ARM, "baseline", "size", "difference", *_LIMITS]


def phase_values(curves: Curves) -> dict[str, pd.DataFrame]:
    """Return phase -> log2 of the quantity, one row per seed, one column per size.

    A run that ended before the last measured step of the arm has no late value.
    """
    found_steps = {int(step) for table in curves.by_size.values() for step in table.columns}
    steps = sorted(found_steps - {0})
    if not steps:
        return {}
    half = second_half(steps)
    found: dict[str, dict[int, pd.Series]] = {"start": {}, "late": {}, "change": {}}
    for size, table in sorted(curves.by_size.items()):
        logs = log2(table, steps)
        late = logs[half].mean(axis=1, skipna=False)
        found["start"][size] = logs[steps[0]]
        found["late"][size] = late
        found["change"][size] = late - logs[steps[0]]
    return {at: pd.DataFrame(values) for at, values in found.items()}


def second_half(steps: Sequence[float]) -> list[float]:
    """Return the steps from half of the last one on."""
    last = max(steps, default=0)
    return [step for step in steps if 2 * step >= last]


def log2(table: pd.DataFrame, steps: list[int]) -> pd.DataFrame:
    """Return log2 of a table of seeds by steps at ``steps``, NaN where it is not positive."""
    values = table.reindex(columns=steps).to_numpy(dtype=np.float64)
    logs = np.log2(np.where(values > 0, values, np.nan))
    return pd.DataFrame(logs, index=table.index, columns=steps)


def phases(curves: Curves, confidence: float) -> pd.DataFrame:
    """Return one row per phase and size."""
    rows = [
        _row(curves, at, column, confidence, name="log2_value", size=size)
        for at, values in phase_values(curves).items()
        for size, column in values.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def phase_slopes(curves: Curves, confidence: float) -> pd.DataFrame:
    """Return one row per phase: log2 of the quantity per doubling of size, a slope per seed."""
    rows = []
    for at, values in phase_values(curves).items():
        complete = values.dropna()
        doublings = np.log2(np.array(values.columns, dtype=np.float64))
        slopes = line(doublings, complete.to_numpy(dtype=np.float64)).slope
        column = pd.Series(slopes, index=complete.index)
        rows.append(_row(curves, at, column, confidence, name="slope"))
    return pd.DataFrame(rows, columns=SLOPE_COLUMNS)


def arm_differences(
    curves: Iterable[Curves], runs: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Return how each arm differs from the first one, seed by seed at the same size.

    Measured quantities by log2 of their ratio, the final loss of the measured runs (nats, phase
    ``late``) by its difference. A seed that diverged in one of the two is left out; without
    measured quantities there is no row.
    """
    rows = []
    first: dict[tuple[str, int], Curves] = {}
    for own in curves:
        baseline = first.setdefault((own.quantity, own.fixed), own)
        if own is baseline:
            continue
        values, others = phase_values(own), phase_values(baseline)
        for at, size in product(values, sorted(set(own.by_size) & set(baseline.by_size))):
            gap = values[at][size] - others[at][size]
            net = {"baseline": baseline.arm, "size": size}
            rows.append(_row(own, at, gap, confidence, name="difference", **net))
    if first:
        rows += _loss_gaps(runs, confidence)
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def _loss_gaps(runs: pd.DataFrame, confidence: float) -> Iterator[dict[str, object]]:
    measured = with_size(runs)[runs["measured"].astype(bool).to_numpy()]
    first = str(measured["arm"].iloc[0])
    by_seed = measured.set_index("seed")
    for (arm, fixed, size), own in by_seed.groupby(["arm", "fixed", "size"], sort=False):
        of_net = (by_seed["fixed"] == fixed) & (by_seed["size"] == size)
        baseline = by_seed[of_net & (by_seed["arm"] == first)]
        if arm != first and len(baseline):
            gap = own[FINAL_LOSS] - baseline[FINAL_LOSS]
            curves = Curves(str(arm), own["axis"].iloc[0], int(str(fixed)), FINAL_LOSS, {})
            net = {"baseline": first, "size": int(str(size))}
            yield _row(curves, "late", gap, confidence, name="difference", **net)


def _row(
    curves: Curves, at: str, values: pd.Series, confidence: float, *, name: str, **extra: object
) -> dict[str, object]:
    """Return a row whose column ``name`` is the mean of one value per seed."""
    seeds = values.to_numpy(dtype=np.float64)
    found: Interval = mean_interval(seeds, confidence)
    return {
        "arm": curves.arm,
        "axis": curves.axis,
        "fixed": curves.fixed,
        "quantity": curves.quantity,
        "at": at,
        **extra,
        name: found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "n_seeds": int(np.isfinite(seeds).sum()),
    }
