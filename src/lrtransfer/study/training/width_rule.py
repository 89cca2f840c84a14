"""The weight-decay rule of a run's configuration, applied to the numbers of its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from lrtransfer.scaling.decay import WidthRule, base_numbers
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig


def apply_decay_rule(
    config: RunConfig, model: nn.Module, roles: Roles, scaled: dict[str, Scaled]
) -> dict[str, Scaled]:
    """Return what a run's decay rule makes of the table's numbers of its tensors.

    Args:
        config: Of an AdamW run with `decay`.
        model: Its network; its weights may be on the meta device.
        roles: The role of each tensor.
        scaled: The table's numbers of each tensor.

    Raises:
        ValueError: The rule does not fit itself, or a tensor has no whole size at the base width.
    """
    decay, size = config.decay, config.model
    if decay is None:
        return scaled
    rule = WidthRule(
        decay=decay.rule,
        power=decay.power,
        peak=config.learning_rate if decay.rule == "lr_independent" else None,
        unscaled=frozenset(decay.unscaled),
        faster=frozenset(decay.faster),
        undecayed=frozenset(decay.undecayed),
    )
    constants = Constants(**config.parameterization.constants)
    base = base_numbers(
        model,
        roles,
        config.parameterization.rules,
        constants,
        width=size.width,
        depth=size.depth,
    )
    growth = size.width / constants.base_width
    return {
        name: rule(numbers, base[name], roles.tensors[name], "adam", growth)
        for name, numbers in scaled.items()
    }
