"""The weight-decay rule of a run's configuration, applied to the numbers of its tensors."""

from __future__ import annotations

from typing import Any

from torch import nn

from lrtransfer.scaling.decay import WidthRule, base_numbers
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled


def ruled(
    config: dict[str, Any], model: nn.Module, roles: Roles, scaled: dict[str, Scaled]
) -> dict[str, Scaled]:
    """Return what ``config["decay"]`` makes of the table's numbers of an AdamW run.

    Args:
        config: A resolved run configuration with an entry ``decay``.
        model: Its network; its weights may be on the meta device.
        roles: The role of each tensor.
        scaled: The table's numbers of each tensor.

    Raises:
        ValueError: The rule does not fit itself, or a tensor has no whole size at the base width.
    """
    spec, model_spec = config["decay"], config["model"]
    is_free = spec["rule"] == "lr_independent"
    rule = WidthRule(
        decay=spec["rule"],
        power=spec["power"],
        peak=config["learning_rate"] if is_free else None,
        unscaled=frozenset(spec["unscaled"]),
        faster=frozenset(spec["faster"]),
        undecayed=frozenset(spec["undecayed"]),
    )
    constants = Constants(**config["parameterization"]["constants"])
    base = base_numbers(
        model,
        roles,
        config["parameterization"]["rules"],
        constants,
        width=model_spec["width"],
        depth=model_spec["depth"],
    )
    growth = model_spec["width"] / constants.base_width
    return {
        name: rule(numbers, base[name], roles.tensors[name], "adam", growth)
        for name, numbers in scaled.items()
    }
