"""How a measured quantity changes with the size of the net, and in training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.measured import Curves, log2, means_over_seeds
from lrtransfer.transfer.estimate import Estimate, Part, Unit
from lrtransfer.transfer.intervals import line


def trends(curves: Curves) -> Iterator[Row]:
    """Yield log2 of a quantity per octave of size in untrained nets and at the last measured step.

    Least squares over all seeds and sizes. A run that diverged before the last step, and a quantity
    that is not positive (no logarithm), are left out. With fewer than two seeds at every size the
    scatter is unknown.
    """
    for at, step in (("start", 0), ("end", curves.steps[-1])):
        units = [
            Unit(int(str(seed)), size, float(np.log2(value)))
            for size, table in curves.by_size.items()
            if step in table
            for seed, value in table[step].items()
            if np.isfinite(value) and value > 0
        ]
        of = Of(statistic="trend", unit="octaves per octave", at=at, **curves.place)
        yield of, _slope(units)


def changes(curves: Curves) -> Iterator[Row]:
    """Yield log2 of a quantity's last over its first (`change`) and largest value (`fall`).

    Per size and pooled. First and last are steps at which the quantity was measured in any run of
    the arm. A run that diverged before the end, and a value that is not positive, are left out.
    """
    found: dict[str, dict[int, pd.Series]] = {"change": {}, "fall": {}}
    for size, table in sorted(curves.by_size.items()):
        logs = log2(table.reindex(columns=curves.steps))
        for name, since in (("change", logs[:, 0]), ("fall", np.fmax.reduce(logs, axis=1))):
            found[name][size] = pd.Series(logs[:, -1] - since, index=table.index)
    for name, ratios in found.items():
        for size, mean in means_over_seeds(pd.DataFrame(ratios)):
            yield Of(statistic=name, unit="octaves", **curves.over(size)), mean


def _slope(units: list[Unit]) -> Estimate:
    x = np.log2(np.array([unit.size for unit in units], dtype=np.float64))
    fit = line(x, np.array([unit.value for unit in units], dtype=np.float64))
    slope = float(fit.slope)
    if len(np.unique(x)) == len(x):
        return Estimate(slope, units=tuple(units))
    part = Part(float(fit.standard_error) ** 2, fit.degrees_of_freedom)
    return Estimate(slope, (part,), units=tuple(units))
