"""Warm-ups of single parameter groups, in place of a learning rate that falls with the width.

Under μP and independent weight decay the relative update of a hidden layer starts m times too
small and grows to that of the base width: an implicit warm-up. These factors make it explicit. A
group's learning rate is the schedule times its factor, with η and λ otherwise as at the base width
(Kosson et al. 2025, 2510.19093). m is the tensor's own: what μP would divide its rate by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def exponential(step: int, warmup_steps: int, width_multiplier: float) -> float:
    """Return ŝ = m^min(0, t/T_W − 1) for update ``step`` (Kosson et al. 2025, Eq. 12).

    It is 1/m at the first update, rises at equal ratios, and is 1 from step T_W on.

    Args:
        step: t, 0-based.
        warmup_steps: T_W; half of the run in the paper's Figure 6.
        width_multiplier: m.

    Raises:
        ValueError: ``warmup_steps`` is below 1, ``step`` is negative, or m is not positive.
    """
    _check_multiplier(width_multiplier)
    if warmup_steps < 1 or step < 0:
        raise ValueError(
            f"warmup_steps is {warmup_steps} and step {step}. Give at least 1 and at least 0."
        )
    return float(width_multiplier ** min(0.0, step / warmup_steps - 1))


def decay_away(
    learning_rates: Iterable[float], weight_decay: float, width_multiplier: float
) -> list[float]:
    """Return ŝ of every update: [1 + (m²−1)∏_{τ<t}(1−η_τλ)²]^(−½), from 1/m towards 1.

    This is Eq. 11 of Kosson et al. (2025) for weights in equilibrium, continued to a learning rate
    that changes. It is this package's candidate for what they call decay-away (Eq. 13), whose exact
    form is not known here: do not report it as theirs.

    Args:
        learning_rates: η_τ of every update at the base width, without this factor.
        weight_decay: λ at the base width, with the factor 1 − ηλ of a step.
        width_multiplier: m.

    Returns:
        One factor for each learning rate.

    Raises:
        ValueError: A learning rate or λ is negative or not finite, a step would remove more than
            the whole weight, or m is not positive.
    """
    _check_multiplier(width_multiplier)
    kept, factors = 1.0, []
    for rate in learning_rates:
        share = rate * weight_decay
        if not (rate >= 0 and weight_decay >= 0 and share <= 1):
            raise ValueError(
                f"a learning rate is {rate} and weight_decay {weight_decay}. Give numbers that are "
                "not negative and whose product is at most 1."
            )
        factors.append((1 + (width_multiplier**2 - 1) * kept) ** -0.5)
        kept *= (1 - share) ** 2
    return factors


def _check_multiplier(width_multiplier: float) -> None:
    if not 0 < width_multiplier < math.inf:
        raise ValueError(f"width_multiplier is {width_multiplier}. Give a positive number.")
