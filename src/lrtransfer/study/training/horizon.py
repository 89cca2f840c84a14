"""The rule of batch and duration of a run, applied to the numbers of its tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lrtransfer.scaling.horizon import horizon
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Scaled

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig

# Optimizers that step everything; of the others AdamW steps all but hidden matrices.
_OF_ALL = frozenset({"adam", "adamw"})


def apply_horizon(config: RunConfig, roles: Roles, scaled: dict[str, Scaled]) -> dict[str, Scaled]:
    """Return the numbers of each tensor at the run's batch and duration.

    Args:
        config: Of a run with `horizon`; β₁ and β₂ in its optimizer's options are scaled already.
        roles: The role of each tensor.
        scaled: Its numbers at the base.

    Raises:
        ValueError: No source tells the rule for the run's optimizer.
    """
    by, name = config.horizon, config.optimizer.name
    if by is None:
        return scaled
    found = {}
    for tensor, numbers in scaled.items():
        kind = name if name in _OF_ALL or roles.tensors[tensor] == "hidden" else "adamw"
        own = horizon(by.rule, kind, batch=by.batch, duration=by.duration)
        found[tensor] = replace(
            numbers,
            learning_rate=numbers.learning_rate * own.learning_rate,
            weight_decay=numbers.weight_decay * own.weight_decay,
            epsilon=numbers.epsilon * own.epsilon,
        )
    return found
