"""Measured quantities at the first update and late in training: levels, slopes, arms compared.

`start` is the first update, `late` the geometric mean over the measured updates of the second
half of the run, `change` the late value over the first. All are in log2, per seed, with one slope
or difference of each seed as one observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.measured import Curves, log2
from lrtransfer.transfer.estimate import of_seeds
from lrtransfer.transfer.intervals import line
from lrtransfer.transfer.size import POOLED, with_size

FINAL_LOSS = "final_loss"


@dataclass(frozen=True)
class Phases:
    """The phases of one quantity of one arm.

    Attributes:
        values: phase -> log2 of the quantity, one row per seed, one column per size.
    """

    curves: Curves
    values: dict[str, pd.DataFrame]


def phases(curves: Curves) -> Phases:
    """Return the phases of a quantity; none where no update was measured.

    A run that ended before the last measured step of the arm has no late value.
    """
    steps = [step for step in curves.steps if step]
    if not steps:
        return Phases(curves, {})
    half = second_half(steps)
    found: dict[str, dict[int, pd.Series]] = {"start": {}, "late": {}, "change": {}}
    for size, table in sorted(curves.by_size.items()):
        logs = log2_at(table, steps)
        late = logs[half].mean(axis=1, skipna=False)
        found["start"][size] = logs[steps[0]]
        found["late"][size] = late
        found["change"][size] = late - logs[steps[0]]
    return Phases(curves, {at: pd.DataFrame(values) for at, values in found.items()})


def second_half(steps: Sequence[int]) -> list[int]:
    """Return the steps from half of the last one on."""
    last = max(steps, default=0)
    return [step for step in steps if 2 * step >= last]


def log2_at(table: pd.DataFrame, steps: list[int]) -> pd.DataFrame:
    """Return log2 of a table of seeds by steps at `steps`, NaN where it is not positive."""
    return pd.DataFrame(log2(table.reindex(columns=steps)), index=table.index, columns=steps)


def levels(own: Phases) -> Iterator[Row]:
    """Yield the quantity of each phase and size."""
    for at, values in own.values.items():
        for size, column in values.items():
            net = int(str(size))
            of = Of(statistic="level", unit="octaves", at=at, size=net, **own.curves.place)
            yield of, of_seeds(column, column.index, net)


def slopes(own: Phases) -> Iterator[Row]:
    """Yield log2 of the quantity per octave of size in each phase, a slope per seed."""
    for at, values in own.values.items():
        complete = values.dropna()
        octaves = np.log2(np.array(values.columns, dtype=np.float64))
        found = line(octaves, complete.to_numpy(dtype=np.float64)).slope
        place = own.curves.over(POOLED)
        of = Of(statistic="slope", unit="octaves per octave", at=at, **place)
        yield of, of_seeds(found, complete.index)


def differences(every: Iterable[Phases], runs: pd.DataFrame) -> Iterator[Row]:
    """Yield how each arm differs from the first one, seed by seed at the same size.

    Measured quantities by log2 of their ratio, the final loss of the measured runs (phase `late`)
    by its difference. A seed that diverged in one of the two is left out; without measured
    quantities there is no row.
    """
    first: dict[tuple[str, int], Phases] = {}
    for own in every:
        curves = own.curves
        baseline = first.setdefault((curves.quantity, curves.fixed), own)
        if own is baseline:
            continue
        shared = sorted(set(curves.by_size) & set(baseline.curves.by_size))
        for at, size in product(own.values, shared):
            gap = own.values[at][size] - baseline.values[at][size]
            place = {**curves.place, "baseline": baseline.curves.arm, "size": size}
            yield (
                Of(statistic="difference", unit="octaves", at=at, **place),
                of_seeds(gap, gap.index, size),
            )
    if first:
        yield from _loss_differences(runs)


def _loss_differences(runs: pd.DataFrame) -> Iterator[Row]:
    measured = with_size(runs)[runs["measured"].astype(bool).to_numpy()]
    first = str(measured["arm"].iloc[0])
    by_seed = measured.set_index("seed")
    for (arm, fixed, size), own in by_seed.groupby(["arm", "fixed", "size"], sort=False):
        of_net = (by_seed["fixed"] == fixed) & (by_seed["size"] == size)
        baseline = by_seed[of_net & (by_seed["arm"] == first)]
        if arm != first and len(baseline):
            gap = own[FINAL_LOSS] - baseline[FINAL_LOSS]
            of = Of(
                statistic="difference",
                unit="loss",
                arm=str(arm),
                baseline=first,
                axis=own["axis"].iloc[0],
                fixed=int(str(fixed)),
                size=int(str(size)),
                quantity=FINAL_LOSS,
                at="late",
            )
            yield of, of_seeds(gap, gap.index, int(str(size)))
