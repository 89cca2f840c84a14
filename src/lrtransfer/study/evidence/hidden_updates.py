"""What theory says of the hidden weights' updates, from the numbers that a run was made with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.optim.implicit_warmup import exponential
from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.plan.catalog import load
from lrtransfer.theory.steady_state import judge
from lrtransfer.theory.weight_decay import relative_updates, weight_rms
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.size import Axis

Array = npt.NDArray[np.float64]

NEEDED = ("hidden_rate", "hidden_share", "layer_samples", "layer_fan_in", "weight_rms")
_SEVERAL_PASSES = "Training samples may be seen twice. Set one_pass for the experiment."


@dataclass(frozen=True)
class Hidden:
    """The hidden weights of the runs of one arm at one size.

    Attributes:
        config: The configuration of one of the runs.
        rates: Learning rate of updates 1…T, a group warm-up included, shape (T,).
        decay: λ, with the factor 1 − ηλ of a step.
        initial_rms: Root mean square of the initial weights; NaN where the first update was not
            measured, and then so is what is predicted from it.
        samples: B of the layer with the fewest samples per input.
        fan_in: C of that layer.
        steps: The measured updates.
    """

    arm: str
    axis: Axis
    fixed: int
    size: int
    config: dict[str, Any]
    rates: Array
    decay: float
    initial_rms: float
    samples: int
    fan_in: int
    steps: list[int]

    @property
    def place(self) -> dict[str, Any]:
        """What its estimates are of, as fields of `estimates.Of`."""
        return {"arm": self.arm, "axis": self.axis, "fixed": self.fixed, "size": self.size}

    @property
    def total_decay(self) -> float:
        """Return Σηλ."""
        return float(self.rates.sum()) * self.decay

    def relative_updates(self) -> Array:
        """Return ‖ΔW‖/‖W‖ of updates 1…T by the recursion for noise, decay taken out."""
        if math.isnan(self.initial_rms):
            return np.full(self.rates.shape, np.nan)
        beta1 = float(self.config["optimizer"]["options"].get("beta1", 0.0))
        return relative_updates(self.rates, self.decay, self.initial_rms, beta1)

    def weight_rms(self) -> Array:
        """Return the root mean square of the weights before updates 1…T."""
        if math.isnan(self.initial_rms):
            return np.full(self.rates.shape, np.nan)
        return weight_rms(self.rates, self.decay, self.initial_rms)[:-1]


def hidden(runs: pd.DataFrame, measured: pd.DataFrame) -> Iterator[Hidden]:
    """Yield the hidden weights of every arm and size whose alignment was measured.

    Args:
        runs: One row per run, with its configuration.
        measured: Curves of measured runs (`measured.measured_curves`).
    """
    if not set(NEEDED) <= set(measured.columns):
        return
    configs = dict(zip(runs["key"], runs["config"], strict=True))
    rows = measured.dropna(subset=list(NEEDED))
    for _, group in rows.groupby(["arm", "fixed", "size"], sort=False):
        first = group[group["step"] == group["step"].min()]
        last = group[group["step"] == group["step"].max()].iloc[0]
        config = json.loads(configs[first["key"].iloc[0]])
        rates = _rates(config, first.iloc[0], last)
        yield Hidden(
            arm=str(last["arm"]),
            axis=last["axis"],
            fixed=int(last["fixed"]),
            size=int(last["size"]),
            config=config,
            rates=rates,
            decay=float(last["hidden_share"] / last["hidden_rate"]),
            initial_rms=_initial(first),
            samples=round(float(last["layer_samples"])),
            fan_in=round(float(last["layer_fan_in"])),
            steps=sorted(int(step) for step in group["step"].unique()),
        )


def predicted_updates(found: list[Hidden]) -> Iterator[tuple[int, Row]]:
    """Yield step and the recursion's relative update and weight RMS at the measured updates."""
    for own in found:
        courses = {"relative_update": own.relative_updates(), "weight_rms": own.weight_rms()}
        for step, (quantity, values) in product(own.steps, courses.items()):
            of = Of(statistic="predicted_update", unit="1", quantity=quantity, **own.place)
            yield step, (of, Estimate(float(values[step - 1])))


def conditions(found: list[Hidden]) -> Iterator[Row]:
    """Yield whether runs can show what weight decay does: see `theory.steady_state`.

    `steady_state` is 1 or 0, with the reason as its note; beside it B/C and Σηλ. An arm is judged
    by Σηλ at its smallest net, where all rules agree.
    """
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
        failed += [] if own.config.get("one_pass", False) else [_SEVERAL_PASSES]
        note = " ".join(failed)
        yield (
            Of(statistic="steady_state", unit="1 or 0", note=note, **own.place),
            Estimate(float(not failed)),
        )
        per_input = Estimate(judgement.samples_per_input)
        yield Of(statistic="samples_per_input", unit="1", **own.place), per_input
        yield Of(statistic="total_decay", unit="1", **own.place), Estimate(own.total_decay)


def _initial(first: pd.DataFrame) -> float:
    """Return the seeds' mean RMS before the first measured update, if that is the first of all."""
    if int(first["step"].iloc[0]) != 1:
        return math.nan
    return float(np.exp(np.log(first["weight_rms"]).mean()))


def _rates(config: dict[str, Any], first: pd.Series, last: pd.Series) -> Array:
    """Return every update's learning rate, from the schedule and two measured ones."""
    steps, spec = config["steps"], config["schedule"]
    factor = load("optim/schedules", spec["name"])
    shape = np.array([factor(t, steps, **spec["options"]) for t in range(steps)])
    shape *= config["learning_rate"]
    ends = [int(row["step"]) - 1 for row in (first, last)]
    logs = [
        math.log(row["hidden_rate"] / shape[t]) for row, t in zip((first, last), ends, strict=True)
    ]
    if "group_warmup" not in config:
        return shape * math.exp(logs[-1])
    length = round(config["group_warmup"]["fraction"] * steps)
    powers = [math.log(exponential(t, length, math.e)) for t in ends]
    gained = powers[1] - powers[0]
    multiplier = math.exp((logs[1] - logs[0]) / gained) if gained else 1.0
    warmup = np.array([exponential(t, length, multiplier) for t in range(steps)])
    return np.asarray(shape * warmup * math.exp(logs[1]) / warmup[ends[1]])
