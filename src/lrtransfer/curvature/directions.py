"""Directions in parameter space, as the cheap instruments take them."""

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from lrtransfer.curvature.forward import FrozenForward

Direction: TypeAlias = Tensor | Mapping[str, Tensor]
"""One vector over the trainable parameters in their order, or a tensor for each by name."""


def flat_direction(forward: FrozenForward, direction: Direction) -> Tensor:
    """Return `direction` as one vector, shape (dim,), in the order of the parameters.

    Raises:
        ValueError: it does not fit the trainable parameters, is zero or is not finite.
    """
    if isinstance(direction, Tensor):
        flat = direction.detach()
    elif not isinstance(direction, Mapping):
        raise ValueError(
            f"direction is a {type(direction).__name__}. Give a tensor by name for each trainable "
            "parameter, or one vector over them in the model's order: an optimizer has its own"
        )
    else:
        shapes = {n: p.shape for n, p in zip(forward.names, forward.parameters, strict=True)}
        if {name: value.shape for name, value in direction.items()} != shapes:
            raise ValueError(
                "direction must hold a tensor of the parameter's shape for each trainable "
                f"parameter: {', '.join(shapes)}"
            )
        flat = torch.cat([direction[name].detach().reshape(-1) for name in forward.names])
    if flat.shape != (forward.dim,):
        raise ValueError(f"direction has shape {tuple(flat.shape)}; it must be ({forward.dim},)")
    flat = flat.to(device=forward.device, dtype=forward.dtype)
    if not bool(torch.isfinite(flat).all()) or not bool((flat != 0).any()):
        raise ValueError("direction is zero or not finite; there is no curvature along it")
    return flat
