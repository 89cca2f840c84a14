"""The linear warm-up that every schedule may begin with."""

from __future__ import annotations


def length(steps: int, warmup_steps: int, warmup_fraction: float) -> int:
    """Return the updates of the warm-up, given as a number or as a share of the run.

    Raises:
        ValueError: Both are given, or the warm-up is negative or longer than the run.

    Example:
        >>> length(200, 0, 0.1)
        20
    """
    if warmup_steps and warmup_fraction:
        raise ValueError(
            f"warmup_steps is {warmup_steps} and warmup_fraction {warmup_fraction}. Give one."
        )
    if not 0 <= warmup_fraction <= 1:
        raise ValueError(f"warmup_fraction is {warmup_fraction}. Give a share between 0 and 1.")
    count = warmup_steps or round(warmup_fraction * steps)
    if not 0 <= count <= steps:
        raise ValueError(f"warmup_steps is {warmup_steps}. Give 0 to {steps}, the run's steps.")
    return count
