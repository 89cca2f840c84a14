"""What learning rate, curvature and updates do over a run: late means, growth, falls and rises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.plan.measures import COURSES
from lrtransfer.transfer.estimate import Unit, of_seeds, of_shares

Array = npt.NDArray[np.float64]

#: Pairs of which it is counted how often the first is smaller.
_COMPARED = (("one_step_greedy", "one_step_on_edge"),)


def _late_mean(values: Array) -> float:
    """Return the mean over the second half of the measured steps."""
    return float(values[len(values) // 2 :].mean()) if len(values) else np.nan


def _late_growth(values: Array) -> float:
    """Return log2 of the last value over that after a quarter of the measured steps."""
    return _log2_ratio(values[-1], values[len(values) // 4]) if len(values) > 3 else np.nan


def _fall_from_peak(values: Array) -> float:
    """Return log2 of the last value over the largest."""
    return _log2_ratio(values[-1], values.max()) if len(values) > 1 else np.nan


def _rise_from_start(values: Array) -> float:
    """Return log2 of the mean over the second half over the first value."""
    return _log2_ratio(_late_mean(values), values[0]) if len(values) > 1 else np.nan


def _log2_ratio(end: float, start: float) -> float:
    """Return log2 of a ratio; NaN, which leaves the run out, where one of the two is zero."""
    return float(np.log2(end / start)) if end > 0 and start > 0 else np.nan


#: Statistic -> its unit, whether it is of quantities without sign alone, and one run's number.
_STATISTICS: dict[str, tuple[str, bool, Callable[[Array], float]]] = {
    "late_mean": ("of the quantity", False, _late_mean),
    "late_growth": ("octaves", True, _late_growth),
    "fall_from_peak": ("octaves", True, _fall_from_peak),
    "rise_from_start": ("octaves", True, _rise_from_start),
}


def dynamics(measured: pd.DataFrame) -> Iterator[Row]:
    """Yield every statistic of every quantity and sweep; nothing where no quantity was measured.

    Args:
        measured: curves of measured runs (`measured.measured_curves`).
    """
    known = [q for q in COURSES if set(q.split("*")) <= set(measured.columns)]
    known = [q for q in known if q != "rate" or "edge_sharpness" in measured.columns]
    pairs = [pair for pair in _COMPARED if set(pair) <= set(measured.columns)]
    for (arm, fixed, size), group in measured.groupby(["arm", "fixed", "size"], sort=False):
        curves = {int(str(s)): curve.sort_values("step") for s, curve in group.groupby("seed")}
        place = {
            "arm": str(arm),
            "axis": group["axis"].iloc[0],
            "fixed": int(str(fixed)),
            "size": int(str(size)),
        }
        for quantity in known:
            values = {seed: _values(curve, quantity) for seed, curve in curves.items()}
            every = np.concatenate(list(values.values()))
            for statistic, (unit, unsigned, number) in _STATISTICS.items():
                if len(every) and (not unsigned or (every >= 0).all()):
                    of = Of(statistic=statistic, unit=unit, quantity=quantity, **place)
                    numbers = [number(own) for own in values.values()]
                    yield of, of_seeds(numbers, curves, place["size"])
        for smaller, larger in pairs:
            of = Of(statistic="share_below", unit="1", quantity=f"{smaller}<{larger}", **place)
            below = {seed: _below(curve, smaller, larger) for seed, curve in curves.items()}
            units = [Unit(s, place["size"], float(b.mean())) for s, b in below.items() if len(b)]
            yield of, of_shares(units, trials=sum(map(len, below.values())))


def _values(curve: pd.DataFrame, quantity: str) -> Array:
    """Return the finite values of a column, or of a product of columns, in order of steps."""
    product = curve[quantity.split("*")].astype(float).prod(axis=1, skipna=False)
    values = np.asarray(product, dtype=np.float64)
    return values[np.isfinite(values)]


def _below(curve: pd.DataFrame, smaller: str, larger: str) -> npt.NDArray[np.bool_]:
    """Return at which of the measured steps one quantity is below another."""
    known = curve.dropna(subset=[smaller, larger])
    return (known[smaller] < known[larger]).to_numpy(dtype=np.bool_)
