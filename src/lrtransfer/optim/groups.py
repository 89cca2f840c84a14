"""Parameter groups whose weight decay and ε are relative to the optimizer's global ones."""

from __future__ import annotations

from typing import Any

Group = dict[str, Any]


def resolved(groups: list[Group], *, weight_decay: float, eps: float | None = None) -> list[Group]:
    """Return the groups with `weight_decay` and `eps` of their own, as torch takes them.

    Args:
        groups: May hold `relative_weight_decay` and `relative_epsilon`; left out, they are 1.
        weight_decay: The global λ.
        eps: The global ε; None for an optimizer without one.

    Example:
        >>> groups = [{"params": [], "relative_weight_decay": 3.0}]
        >>> resolved(groups, weight_decay=0.5, eps=1e-8)[0]["weight_decay"]
        1.5
    """
    own = []
    for group in groups:
        settings: Group = {"weight_decay": weight_decay * group.get("relative_weight_decay", 1.0)}
        if eps is not None:
            settings["eps"] = eps * group.get("relative_epsilon", 1.0)
        own.append(group | settings)
    return own
