"""What theory says of the hidden weights' updates, from the numbers that a run was made with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.optim import schedule
from lrtransfer.optim.implicit_warmup import exponential
from lrtransfer.theory.weight_decay import relative_updates, weight_rms
from lrtransfer.transfer.size import Axis

Array = npt.NDArray[np.float64]

NEEDED = ("hidden_rate", "hidden_share", "layer_samples", "layer_fan_in", "weight_rms")
PREDICTED_COLUMNS = ["arm", "axis", "fixed", "size", "step", "relative_update", "weight_rms"]


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
        measured: Curves of measured runs (`fits.measured.measured_curves`).
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


def predicted(found: list[Hidden]) -> pd.DataFrame:
    """Return the recursion's relative updates and weights at the measured updates."""
    rows = []
    for own in found:
        updates, sizes = own.relative_updates(), own.weight_rms()
        for step in own.steps:
            place = [own.arm, own.axis, own.fixed, own.size, step]
            rows.append([*place, updates[step - 1], sizes[step - 1]])
    return pd.DataFrame(rows, columns=PREDICTED_COLUMNS)


def _initial(first: pd.DataFrame) -> float:
    """Return the seeds' mean RMS before the first measured update, if that is the first of all."""
    if int(first["step"].iloc[0]) != 1:
        return math.nan
    return float(np.exp(np.log(first["weight_rms"]).mean()))


def _rates(config: dict[str, Any], first: pd.Series, last: pd.Series) -> Array:
    """Return every update's learning rate, from the schedule and two measured ones."""
    steps, spec = config["steps"], config["schedule"]
    factor = schedule(spec["name"])
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
