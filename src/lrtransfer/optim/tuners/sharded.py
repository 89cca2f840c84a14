"""Tensors that FSDP2 shards over processes: local parts, and what cannot pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from lrtransfer.curvature.sharded import is_sharded


def local(tensor: Tensor) -> Tensor:
    """Return this process's part, which shares its memory; of a plain tensor itself."""
    found: Any = tensor
    part: Tensor = found.to_local() if is_sharded(tensor) else found
    return part


def refuse_exact_curvature(tensors: Iterable[Tensor]) -> None:
    """Check that exact second derivatives can pass.

    Raises:
        ValueError: A tensor is sharded.
    """
    if any(map(is_sharded, tensors)):
        raise ValueError(
            "base holds sharded tensors (FSDP2), whose gradients have no graph: exact curvature "
            "cannot be had. Use CDAT(base, reduce, curvature='finite_difference'), or a tuner "
            "that needs none, such as ParabolaFit."
        )


def reshard(modules: Iterable[Any]) -> None:
    """Let FSDP2's modules gather their parameters anew.

    A forward pass without a backward leaves the root's gathered: the next one would not see that
    the shards have moved.
    """
    for module in modules:
        if hasattr(module, "reshard") and hasattr(module, "unshard"):
            module.reshard()
