"""One optimizer for the hidden matrices of a study's network, AdamW for its other tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lrtransfer.optim.groups import resolved
from lrtransfer.optim.make_optimizer import build


def of_matrices(
    groups: list[dict[str, Any]],
    kind: str,
    options: Mapping[str, Any],
    *,
    rest_rate: float,
    epsilon: float,
    weight_decay: float,
) -> torch.optim.Optimizer:
    """Return `kind` over the groups of the role `hidden` and AdamW over the others.

    Args:
        groups: With their `role`.
        kind: What steps the matrices, as `make_optimizer` names it.
        options: Of both, for whichever takes them.
        rest_rate: AdamW's learning rates over the matrices', beside the groups' own; it becomes
            the groups' `rate_factor`, which the trainer multiplies by.
        epsilon: The global ε.
        weight_decay: The global λ.

    Raises:
        ValueError: `rest_rate` is not positive.
    """
    if not rest_rate > 0:
        raise ValueError(f"rest_rate is {rest_rate}. Give a positive factor.")
    own = []
    for group in resolved(groups, weight_decay=weight_decay, eps=epsilon):
        if group["role"] == "hidden":
            factor = {"factor": options["factor"]} if "factor" in options else {}
            own.append({"lr": 0.0} | group | {"optimizer": kind} | factor)
        else:
            own.append({"lr": 0.0} | group | {"optimizer": "adamw", "rate_factor": rest_rate})
    return build(own, **options)
