"""The same sweeps over the effective learning rate in place of the nominal one.

A run's effective rate (η/‖W‖, `alignment.effective_rate`) is measured and not set, so that the
abscissa of a sweep is the mean over the runs at each nominal rate. Yang et al. (2026, 2606.29158)
find less of a bend in the law of the effective optimum than in that of the nominal one; whether
predictions in it are better is what `Findings.held_out` tells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.roles import JudgeError
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.table_sweeps import Codes, Swept

Array = npt.NDArray[np.float64]
Order = npt.NDArray[np.intp]

#: Octaves that the effective rates of a sweep span at least.
_LEAST_SPAN = 0.1


def check_spans(swept: Swept, column: str) -> None:
    """Refuse effective rates that hardly vary with the rate: no best one can be told among them.

    Raises:
        JudgeError: those of a sweep do.
    """
    for sweep, effective in zip(swept.sweeps, swept.effective, strict=True):
        known = effective[np.isfinite(effective)]
        if len(known) > 1 and np.ptp(known) < _LEAST_SPAN:
            where = ", ".join(f"{axis} {size:g}" for axis, size in sweep.sizes.items())
            raise JudgeError(
                f"column {column!r}: at {where} the effective rates of all rates lie within "
                f"{np.ptp(known):.2g} octaves, which tells no best one: leave the column out"
            )


def over_effective_rate(swept: Swept) -> tuple[Swept, list[Order]]:
    """Return the sweeps over the effective rate, and per sweep the order (L,) of its rates in that.

    A rate of which no run knows its effective one (all diverged) is as many octaves from its
    neighbour as over the nominal rate.
    """
    sweeps: list[Sweep] = []
    settings: list[Codes] = []
    orders: list[Order] = []
    for sweep, known, setting in zip(swept.sweeps, swept.effective, swept.settings, strict=True):
        log2_rate = _completed(known, sweep.log2_rate)
        order = np.argsort(log2_rate, kind="stable")
        orders.append(order)
        sweeps.append(_of_order(sweep, log2_rate, order))
        settings.append(setting[order])
    notes = swept.notes
    if turned := sum(bool(np.any(np.diff(order) < 0)) for order in orders):
        notes += (
            f"in {turned:,} sweeps the effective rate does not rise with the rate everywhere: it "
            "gives the order",
        )
    return replace(swept, sweeps=sweeps, settings=settings, notes=notes), orders


def _of_order(sweep: Sweep, log2_rate: Array, order: Order) -> Sweep:
    """Return a sweep over other rates (L,), in an order of theirs that ascends."""
    return replace(
        sweep,
        log2_rate=_apart(log2_rate[order]),
        loss=sweep.loss[:, order],
        diverged=sweep.diverged[:, order],
    )


def _completed(known: Array, nominal: Array) -> Array:
    """Return the effective rates (L,) with those that are missing beside their neighbours."""
    there = np.flatnonzero(np.isfinite(known))
    if not len(there):
        return nominal
    nearest = there[np.abs(np.arange(len(known))[:, None] - there).argmin(1)]
    completed: Array = known[nearest] + nominal - nominal[nearest]
    return completed


def _apart(ascending: Array) -> Array:
    """Return rates of which no two are equal."""
    steps = np.maximum(np.diff(ascending), 1e-6)
    return np.asarray(ascending[0] + np.append(0.0, np.cumsum(steps)))
