"""A linear decay to zero, after a linear warm-up if asked."""

from __future__ import annotations

from lrtransfer.optim.warmup import length


def linear(
    step: int, steps: int, /, *, warmup_steps: int = 0, warmup_fraction: float = 0.0
) -> float:
    """Return (step+1)/W during a warm-up of W updates, then the share of the other steps left.

    The factor would be zero at step `steps`, the first one that is not made.

    Raises:
        ValueError: The warm-up is not one that the run can hold.

    Example:
        >>> [linear(step, 6, warmup_steps=2) for step in range(6)]
        [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    warmup = length(steps, warmup_steps, warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / (steps - warmup)


SCHEDULE = linear
