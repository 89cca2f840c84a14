"""Whether a run can show what weight decay does to learning-rate transfer.

Kosson et al. (2025) argue for training whose batch is much larger than the layers are wide, and
that goes on for long beside the time 1/(ηλ) over which weights are forgotten. A small run that
meets neither neither supports nor contradicts them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SAMPLES_PER_INPUT = 16.0
"""Smallest B/C at which independent samples let the ratio α_ΔW/α_W exceed 1 by only 3 %."""

TOTAL_DECAY = 4.0
"""Smallest Σηλ: the initial weights are forgotten down to e⁻⁴."""


@dataclass(frozen=True)
class Judgement:
    """What `judge` found.

    Attributes:
        samples_per_input: B/C.
        total_decay: Σηλ at the base width, as the widest run sees it too under independent decay.
        total_decay_standard: Σηλ/m, what the widest run sees under standard decay.
        warnings: A sentence with its remedy for each condition that fails; one more where standard
            decay falls short at the largest width alone, which is no failure.
        holds: Whether both conditions hold at the base width.
    """

    samples_per_input: float
    total_decay: float
    total_decay_standard: float
    warnings: tuple[str, ...]
    holds: bool


def judge(
    *,
    samples: int,
    fan_in: int,
    learning_rates: ArrayLike,
    weight_decay: float,
    width_multiplier: float = 1.0,
) -> Judgement:
    """Judge B ≥ 16·C and Σηλ ≥ 4, and say in words what fails and what would repair it.

    Args:
        samples: B, what a layer sees in one update: tokens of a batch, patches of its images.
        fan_in: C, the largest fan-in among the scaled layers of the widest network.
        learning_rates: η of every update at the base width, shape (T,).
        weight_decay: λ at the base width, with the factor 1 − ηλ of a step.
        width_multiplier: m of the widest network.

    Raises:
        ValueError: A size is below 1, a number is negative, or m is below 1.

    Example:
        >>> from lrtransfer.theory.steady_state import judge
        >>> found = judge(samples=4096, fan_in=256, learning_rates=[0.01] * 8000, weight_decay=0.1)
        >>> found.holds, found.samples_per_input, round(found.total_decay, 2)
        (True, 16.0, 8.0)
    """
    rates = np.asarray(learning_rates, dtype=np.float64)
    if min(samples, fan_in) < 1:
        raise ValueError(f"samples is {samples} and fan_in {fan_in}; give at least 1 for both")
    if rates.ndim != 1 or not np.isfinite(rates).all() or (rates < 0).any():
        raise ValueError("learning_rates must be a row of finite numbers, none negative")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay is {weight_decay}; give a finite number, not negative")
    if not 1 <= width_multiplier < math.inf:
        raise ValueError(f"width_multiplier is {width_multiplier}; give at least 1")
    per_input = samples / fan_in
    total = float(rates.sum()) * weight_decay
    warnings = []
    if per_input < SAMPLES_PER_INPUT:
        warnings.append(
            f"An update sees {per_input:.3g} samples per input of the widest layer (condition: "
            f"{SAMPLES_PER_INPUT:g}): the alignment ratio may keep growing with width, as muP "
            f"assumes. Raise the batch to {math.ceil(SAMPLES_PER_INPUT * fan_in)} samples."
        )
    if total < TOTAL_DECAY:
        warnings.append(
            f"The learning rates times weight decay sum to {total:.3g} (condition: "
            f"{TOTAL_DECAY:g}): the weights do not reach their equilibrium. "
            + _remedy(float(rates.sum()))
        )
    elif total / width_multiplier < TOTAL_DECAY:
        warnings.append(
            f"Under standard weight decay the widest network sees a sum of only "
            f"{total / width_multiplier:.3g} of the {total:.3g} at the base width: it stays short "
            "of equilibrium, which is part of what the rules differ in."
        )
    holds = per_input >= SAMPLES_PER_INPUT and total >= TOTAL_DECAY
    return Judgement(per_input, total, total / width_multiplier, tuple(warnings), holds)


def _remedy(total_rate: float) -> str:
    if total_rate == 0:
        return "Raise the learning rate above zero."
    needed = TOTAL_DECAY / total_rate
    digit = 10 ** (math.floor(math.log10(needed)) - 2)
    return f"Set weight_decay to {math.ceil(needed / digit) * digit:.4g}, or train for longer."
