"""Whether runs can show what weight decay does: the conditions of `theory.steady_state`."""

from __future__ import annotations

import pandas as pd

from lrtransfer.study.evidence.effects import Fits
from lrtransfer.study.evidence.hidden_updates import Hidden
from lrtransfer.theory.steady_state import judge

COLUMNS = [
    "arm",
    "axis",
    "fixed",
    "size",
    "samples_per_input",
    "total_decay",
    "one_pass",
    "reason",
]
_SEVERAL_PASSES = "Training samples may be seen twice. Set one_pass for the experiment."


def conditions(found: list[Hidden]) -> pd.DataFrame:
    """Return what each arm and size has of B/C, Σηλ and single passes, and what fails.

    An arm is judged by Σηλ at its smallest net, where all rules agree; ``reason`` is empty where
    every condition holds.
    """
    rows = []
    for own in found:
        base = min(
            (net for net in found if (net.arm, net.fixed) == (own.arm, own.fixed)),
            key=lambda net: net.size,
        )
        judgement = judge(
            samples=own.samples,
            fan_in=own.fan_in,
            learning_rates=base.rates,
            weight_decay=base.decay,
        )
        failed = [] if judgement.holds else list(judgement.warnings)
        once = bool(own.config.get("one_pass", False))
        failed += [] if once else [_SEVERAL_PASSES]
        place = [own.arm, own.axis, own.fixed, own.size]
        rows.append([*place, judgement.samples_per_input, own.total_decay, once, " ".join(failed)])
    return pd.DataFrame(rows, columns=COLUMNS)


def failed(fits: Fits, *arms: str) -> str:
    """Return why the arms cannot show the claim, at their largest nets; empty if they can."""
    table = fits.get("conditions")
    if table is None or table.empty:
        return "The conditions of the claim were not measured."
    table = table[table["arm"].isin(arms)]
    if table.empty:
        return "The conditions of the claim were not measured."
    largest = table[table["size"] == table["size"].max()]
    reasons = [str(reason) for reason in largest["reason"].fillna("") if reason]
    return " ".join(dict.fromkeys(reasons))
