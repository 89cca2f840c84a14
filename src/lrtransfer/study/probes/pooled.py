"""Columns of single weights, and of the hidden weights together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from torch import nn


def hidden(model: nn.Module) -> set[str]:
    """Return the names of the hidden weights of a model that tells its roles."""
    roles = getattr(model, "roles", None)
    if roles is None:
        return set()
    return {name for name, role in roles().tensors.items() if role == "hidden"}


def table(found: Mapping[str, Mapping[str, float]], pooled: set[str]) -> dict[str, float]:
    """Return a column `<quantity>/<weight>` for each, and one `<quantity>` for the pooled weights.

    Args:
        found: Weight -> quantity -> value, the same quantities for all.
        pooled: Weights whose geometric means are taken.
    """
    columns = {
        f"{quantity}/{name}": value
        for name, values in found.items()
        for quantity, value in values.items()
    }
    of_pooled = [values for name, values in found.items() if name in pooled]
    if of_pooled:
        columns |= {
            quantity: geometric_mean(values[quantity] for values in of_pooled)
            for quantity in of_pooled[0]
        }
    return columns


def geometric_mean(values: Iterable[float]) -> float:
    """Return it; NaN where a value is NaN or zero."""
    logs = [math.log(value) if value > 0 else math.nan for value in values]
    return math.exp(sum(logs) / len(logs))
