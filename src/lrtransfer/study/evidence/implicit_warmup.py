"""The implicit warm-up s_t: relative updates under (η/m, mλ) over those under (η, λ).

Measured from two arms that differ in whether the learning rate falls with the width, and
predicted by the recursion of `theory.weight_decay` and by its form for weights that are in
equilibrium all along (Kosson et al. 2025, Eq. 11).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.hidden_updates import Hidden
from lrtransfer.study.evidence.phases import log2_at
from lrtransfer.theory.weight_decay import implicit_warmup_simplified
from lrtransfer.transfer.estimate import Estimate, of_seeds

Array = npt.NDArray[np.float64]

QUANTITY = "relative_update_without_decay"


@dataclass(frozen=True)
class Warmup:
    """s_t of one net, in log2.

    Attributes:
        scaled: the net whose learning rate falls with the width.
        unscaled: the same net with the rate left alone.
        steps: (T,) measured updates.
        seeds: (S,) names of the seeds.
        measured: (S, T).
        predicted: (T,) by the recursion.
        simplified: (T,) by the form for weights in equilibrium.
        multiplier: m.
    """

    scaled: Hidden
    unscaled: Hidden
    steps: list[int]
    seeds: list[int]
    measured: Array
    predicted: Array
    simplified: Array
    multiplier: float

    @property
    def place(self) -> dict[str, Any]:
        """What its estimates are of, as fields of `estimates.Of`."""
        return {**self.scaled.place, "baseline": self.unscaled.arm}

    def courses(self) -> Iterator[tuple[int, Row]]:
        """Yield step and s there: measured, predicted, simplified."""
        for at, step in enumerate(self.steps):
            values = {
                "measured": of_seeds(self.measured[:, at], self.seeds, self.scaled.size),
                "predicted": Estimate(float(self.predicted[at])),
                "simplified": Estimate(float(self.simplified[at])),
            }
            for quantity, value in values.items():
                of = Of(
                    statistic="implicit_warmup", unit="octaves", quantity=quantity, **self.place
                )
                yield step, (of, value)

    def summaries(self) -> Iterator[Row]:
        """Yield what s_t comes to.

        `warmup_deviation` is the mean of |log2 s − log2 predicted|; `warmup_delay` log2 of the
        update at which s passes 1/√2 over that of the simplified form; `warmup_left` log2 s in
        the second half over log2 1/m, 1 at the start of training and 0 where the warm-up is over.
        """
        steps = np.array(self.steps)
        expected = _passing(self.simplified, steps)
        late = 2 * steps >= steps[-1]
        found = {
            "deviation": np.abs(self.measured - self.predicted).mean(axis=1),
            "delay": np.array([_passing(seed, steps) - expected for seed in self.measured]),
            "left": self.measured[:, late].mean(axis=1) / -math.log2(self.multiplier),
        }
        for name, values in found.items():
            unit = "1" if name == "left" else "octaves"
            of = Of(statistic=f"warmup_{name}", unit=unit, **self.place)
            yield of, of_seeds(values, self.seeds, self.scaled.size)


def warmups(found: list[Hidden], measured: pd.DataFrame) -> list[Warmup]:
    """Return s_t of every net that was trained in two such arms."""
    every = []
    for scaled, unscaled in _pairs(found):
        multiplier = float(unscaled.rates[0] / scaled.rates[0])
        if multiplier < 1.01:
            continue  # the base width, where both arms are the same
        steps = [step for step in scaled.steps if step in unscaled.steps]
        places = np.array(steps) - 1
        simple = implicit_warmup_simplified(unscaled.rates, unscaled.decay, multiplier)
        ratio = _log2_ratio(measured, scaled, unscaled, steps)
        every.append(
            Warmup(
                scaled,
                unscaled,
                steps,
                seeds=[int(seed) for seed in ratio.index],
                measured=ratio.to_numpy(dtype=np.float64),
                predicted=np.log2(scaled.relative_updates() / unscaled.relative_updates())[places],
                simplified=np.log2(simple)[places],
                multiplier=multiplier,
            )
        )
    return every


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
) -> pd.DataFrame:
    """Return log2 of the measured ratio, seeds by steps."""
    tables = []
    for net in (scaled, unscaled):
        of_net = measured[
            (measured["arm"] == net.arm)
            & (measured["fixed"] == net.fixed)
            & (measured["size"] == net.size)
        ]
        table = of_net.pivot(index="seed", columns="step", values=QUANTITY)
        tables.append(log2_at(table, steps))
    return tables[0] - tables[1]


def _passing(log2_s: Array, steps: npt.NDArray[np.int64]) -> float:
    """Return log2 of the update at which s first passes 1/√2; NaN if it does not."""
    above = np.flatnonzero(log2_s >= -0.5)
    if not len(above) or above[0] == 0:
        return math.nan
    at = int(above[0])
    logs = np.log2(steps.astype(np.float64))
    part = (-0.5 - log2_s[at - 1]) / (log2_s[at] - log2_s[at - 1])
    return float(logs[at - 1] + part * (logs[at] - logs[at - 1]))
