"""The implicit warm-up s_t: relative updates under (η/m, mλ) over those under (η, λ).

Measured from two arms that differ in whether the learning rate falls with the width, and
predicted by the recursion of `theory.weight_decay` and by its form for weights that are in
equilibrium all along (Kosson et al. 2025, Eq. 11).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.hidden_updates import Hidden
from lrtransfer.study.evidence.phases import log2
from lrtransfer.theory.weight_decay import implicit_warmup_simplified
from lrtransfer.transfer.intervals import mean_interval

Array = npt.NDArray[np.float64]

QUANTITY = "relative_update_without_decay"
_NET = ["arm", "baseline", "axis", "fixed", "size"]
COLUMNS = [*_NET, "step", "log2_s", "ci_low", "ci_high", "n_seeds", "predicted", "simplified"]
SUMMARY_COLUMNS = [*_NET, "quantity", "value", "ci_low", "ci_high", "n_seeds"]


def implicit_warmup(
    found: list[Hidden], measured: pd.DataFrame, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return s_t over the measured updates, and what it comes to.

    The second table has, per size: ``deviation``, the mean of |log2 s − log2 predicted|; ``delay``,
    log2 of the update at which s passes 1/√2 over that of the simplified form; ``left``, log2 s in
    the second half over log2 1/m, 1 at the start of training and 0 where the warm-up is over.
    """
    courses, summaries = [], []
    for scaled, unscaled in _pairs(found):
        multiplier = float(unscaled.rates[0] / scaled.rates[0])
        if multiplier < 1.01:
            continue  # the base width, where both arms are the same
        steps = [step for step in scaled.steps if step in unscaled.steps]
        places = np.array(steps) - 1
        predicted = np.log2(scaled.relative_updates() / unscaled.relative_updates())[places]
        simple = implicit_warmup_simplified(unscaled.rates, unscaled.decay, multiplier)
        simplified = np.log2(simple)[places]
        logs = _log2_ratio(measured, scaled, unscaled, steps)
        net = [scaled.arm, unscaled.arm, scaled.axis, scaled.fixed, scaled.size]
        for at, step in enumerate(steps):
            mean = mean_interval(logs[:, at], confidence)
            seeds = int(np.isfinite(logs[:, at]).sum())
            courses.append([*net, step, *mean, seeds, predicted[at], simplified[at]])
        for name, values in _summaries(logs, predicted, simplified, np.array(steps), multiplier):
            mean = mean_interval(values, confidence)
            summaries.append([*net, name, *mean, int(np.isfinite(values).sum())])
    return (
        pd.DataFrame(courses, columns=COLUMNS),
        pd.DataFrame(summaries, columns=SUMMARY_COLUMNS),
    )


def _pairs(found: list[Hidden]) -> Iterator[tuple[Hidden, Hidden]]:
    """Yield nets that differ in whether the rule lowers the learning rate, and in nothing else."""
    for scaled in found:
        if scaled.config.get("decay", {}).get("rule") != "independent":
            continue
        if scaled.config["decay"]["unscaled"] or scaled.config["decay"]["faster"]:
            continue
        for other in found:
            if (other.fixed, other.size) == (scaled.fixed, scaled.size) and _differs(scaled, other):
                yield scaled, other


def _differs(scaled: Hidden, other: Hidden) -> bool:
    own, theirs = ({**net.config, "decay": None, "seed": None} for net in (scaled, other))
    decay = other.config.get("decay", {})
    rules = {"standard", "independent", "power"}  # the same for tensors that are left unscaled
    return own == theirs and decay.get("rule") in rules and "hidden" in decay["unscaled"]


def _log2_ratio(
    measured: pd.DataFrame, scaled: Hidden, unscaled: Hidden, steps: list[int]
) -> Array:
    """Return log2 of the measured ratio, shape (seeds, steps)."""
    tables = []
    for net in (scaled, unscaled):
        of_net = measured[
            (measured["arm"] == net.arm)
            & (measured["fixed"] == net.fixed)
            & (measured["size"] == net.size)
        ]
        table = of_net.pivot(index="seed", columns="step", values=QUANTITY)
        tables.append(log2(table, steps))
    return np.asarray((tables[0] - tables[1]).to_numpy(dtype=np.float64))


def _summaries(
    logs: Array, predicted: Array, simplified: Array, steps: npt.NDArray[np.int64], m: float
) -> Iterator[tuple[str, Array]]:
    yield "deviation", np.abs(logs - predicted).mean(axis=1)
    expected = _passing(simplified, steps)
    yield "delay", np.array([_passing(seed, steps) - expected for seed in logs])
    late = 2 * steps >= steps[-1]
    yield "left", logs[:, late].mean(axis=1) / -math.log2(m)


def _passing(log2_s: Array, steps: npt.NDArray[np.int64]) -> float:
    """Return log2 of the update at which s first passes 1/√2; NaN if it does not."""
    above = np.flatnonzero(log2_s >= -0.5)
    if not len(above) or above[0] == 0:
        return math.nan
    at = int(above[0])
    logs = np.log2(steps.astype(np.float64))
    part = (-0.5 - log2_s[at - 1]) / (log2_s[at] - log2_s[at - 1])
    return float(logs[at - 1] + part * (logs[at] - logs[at - 1]))
