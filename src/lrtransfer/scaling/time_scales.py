"""The time over which AdamW averages its updates, tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from lrtransfer.scaling.rebind import names


def time_scales(groups: Iterable[Mapping[str, Any]], *, steps: int) -> dict[str, float]:
    """Return parameter name -> τ = B/(ηλD), the share of the run over which it averages updates.

    Args:
        groups: What `lrtransfer.parameterize` returned, with η at its peak.
        steps: Updates of the run, D/B.

    Returns:
        τ; infinite for a tensor without decay.

    Example:
        >>> import lrtransfer as lt
        >>> lt.time_scales([{"names": ["w"], "lr": 1e-3, "weight_decay": 0.1}], steps=100_000)
        {'w': 0.1}
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}. Give 1 or more.")
    found: dict[str, float] = {}
    for group in groups:
        share = float(group["lr"]) * float(group.get("weight_decay", 0.0))
        found |= dict.fromkeys(names(group), 1 / (share * steps) if share else math.inf)
    return found
