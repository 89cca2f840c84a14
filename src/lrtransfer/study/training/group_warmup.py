"""Warm-ups of single parameter groups, on top of the schedule that all groups share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lrtransfer.optim.implicit_warmup import exponential
from lrtransfer.scaling.decay import rate_multiplier
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Scaled

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig

Factor = Callable[[str, int], float]


def factor_of(
    config: RunConfig, roles: Roles, table: dict[str, Scaled], scaled: dict[str, Scaled]
) -> Factor:
    """Return tensor and update (0-based) -> factor on a learning rate that is left unscaled.

    Of any other tensor it is 1. A tensor's m is what the table would divide its learning rate by
    (Kosson et al. 2025, Eq. 12, where all hidden tensors have the same m).

    Args:
        config: Of a run with `group_warmup` and `decay`.
        roles: The role of each tensor.
        table: The parameterization's numbers of each tensor.
        scaled: What the run's rule has made of them.

    Raises:
        ValueError: The warm-up is shorter than one update.
    """
    warmup, decay, steps = config.group_warmup, config.decay, config.steps
    if warmup is None or decay is None:
        return lambda name, step: 1.0
    length = round(warmup.fraction * steps)
    multipliers = {
        name: rate_multiplier(table[name], numbers, "adam")
        for name, numbers in scaled.items()
        if roles.tensors[name] in decay.unscaled
    }
    if length < 1:
        raise ValueError(f"group_warmup.fraction of {steps} steps is less than one. Raise it.")

    def factor(name: str, step: int) -> float:
        return exponential(step, length, multipliers[name]) if name in multipliers else 1.0

    return factor
