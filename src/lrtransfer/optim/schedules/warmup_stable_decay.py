"""A constant learning rate with a decay at the end alone (Hu et al. 2024, 2404.06395)."""

from __future__ import annotations

import math
from typing import Literal

from lrtransfer.optim.warmup import length


def warmup_stable_decay(
    step: int,
    steps: int,
    /,
    *,
    decay_fraction: float = 0.2,
    shape: Literal["linear", "square_root"] = "linear",
    warmup_steps: int = 0,
    warmup_fraction: float = 0.0,
) -> float:
    """Return (step+1)/W during a warm-up of W updates, then 1, and at last a decay to zero.

    With p the share of the decay that is done, the factor is 1 − p, or 1 − √p (Hägele et al. 2024,
    2405.18392); it would be zero at step `steps`, the first one that is not made. `decay_fraction`
    is the decay's share of the updates after the warm-up.

    Raises:
        ValueError: `decay_fraction` is not a share, `shape` is another one, or the warm-up is
            not one that the run can hold.

    Example:
        >>> [warmup_stable_decay(step, 6, decay_fraction=0.5, warmup_steps=2) for step in range(6)]
        [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]
    """
    if not 0 <= decay_fraction <= 1:
        raise ValueError(f"decay_fraction is {decay_fraction}. Give a share between 0 and 1.")
    if shape not in {"linear", "square_root"}:
        raise ValueError(f"shape is {shape!r}. Give linear or square_root.")
    warmup = length(steps, warmup_steps, warmup_fraction)
    decay = round(decay_fraction * (steps - warmup))
    if step < warmup:
        return (step + 1) / warmup
    begin = steps - decay
    if step < begin:
        return 1.0
    done = (step - begin) / decay
    return 1 - (math.sqrt(done) if shape == "square_root" else done)


SCHEDULE = warmup_stable_decay
