"""A half cosine down to a share of the peak (Loshchilov and Hutter 2017, 1608.03983)."""

from __future__ import annotations

import math

from lrtransfer.optim.warmup import length


def cosine(
    step: int,
    steps: int,
    /,
    *,
    final: float = 0.0,
    warmup_steps: int = 0,
    warmup_fraction: float = 0.0,
) -> float:
    """Return (step+1)/W during a warm-up of W updates, then f + (1−f)·½(1 + cos πp).

    p is the share of the other steps that are done; the factor would be f, `final`, at step
    `steps`, the first one that is not made.

    Raises:
        ValueError: `final` is not a share, or the warm-up is not one that the run can hold.

    Example:
        >>> [round(cosine(step, 4, final=0.1), 3) for step in range(4)]
        [1.0, 0.868, 0.55, 0.232]
    """
    if not 0 <= final <= 1:
        raise ValueError(f"final is {final}. Give a share of the peak, between 0 and 1.")
    warmup = length(steps, warmup_steps, warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / (steps - warmup)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


SCHEDULE = cosine
