"""A constant learning rate, after a linear warm-up if asked."""

from __future__ import annotations


def constant(step: int, steps: int, /, *, warmup_steps: int = 0) -> float:
    """Return (step+1)/warmup_steps during warm-up, then 1.

    Raises:
        ValueError: ``warmup_steps`` is negative.
    """
    if warmup_steps < 0:
        raise ValueError(f"warmup_steps is {warmup_steps}. Give 0 or more.")
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0


SCHEDULE = constant
