"""A warm-up of single parameter groups, in place of a learning rate that falls with the width.

Under μP and independent weight decay the relative update of a hidden layer starts m times too
small and grows to that of the base width: an implicit warm-up. This factor makes it explicit. A
group's learning rate is the schedule times its factor, with η and λ otherwise as at the base width
(Kosson et al. 2025, 2510.19093). m is the tensor's own: what μP would divide its rate by.
"""

from __future__ import annotations

import math


def exponential(step: int, warmup_steps: int, width_multiplier: float) -> float:
    """Return ŝ = m^min(0, t/T_W − 1) for update `step` (Kosson et al. 2025, Eq. 12).

    It is 1/m at the first update, rises at equal ratios, and is 1 from step T_W on.

    Args:
        step: t, 0-based.
        warmup_steps: T_W; half of the run in the paper's Figure 6.
        width_multiplier: m.

    Raises:
        ValueError: `warmup_steps` is below 1, `step` is negative, or m is not positive.

    Example:
        >>> [exponential(step, 2, 16.0) for step in range(4)]
        [0.0625, 0.25, 1.0, 1.0]
    """
    if not 0 < width_multiplier < math.inf:
        raise ValueError(f"width_multiplier is {width_multiplier}. Give a positive number.")
    if warmup_steps < 1 or step < 0:
        raise ValueError(
            f"warmup_steps is {warmup_steps} and step {step}. Give at least 1 and at least 0."
        )
    return float(width_multiplier ** min(0.0, step / warmup_steps - 1))
