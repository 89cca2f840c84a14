"""A constant learning rate, after a linear warm-up if asked."""

from __future__ import annotations

from lrtransfer.optim.warmup import length


def constant(
    step: int, steps: int, /, *, warmup_steps: int = 0, warmup_fraction: float = 0.0
) -> float:
    """Return (step+1)/W during a warm-up of W updates, then 1.

    Raises:
        ValueError: The warm-up is not one that the run can hold.

    Example:
        >>> [constant(step, 6, warmup_steps=2) for step in range(6)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    warmup = length(steps, warmup_steps, warmup_fraction)
    return min(1.0, (step + 1) / warmup) if warmup else 1.0


SCHEDULE = constant
