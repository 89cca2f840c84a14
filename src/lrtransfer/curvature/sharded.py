"""Tensors that FSDP2 shards over processes: whole values, shards of values, means of losses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def is_sharded(tensor: Tensor) -> bool:
    """Return whether it is a DTensor, whose module takes half a second to import."""
    return hasattr(tensor, "placements")


def whole(tensor: Tensor) -> Tensor:
    """Return the values over all processes; of a plain tensor itself."""
    found: Any = tensor
    full: Tensor = found.full_tensor() if is_sharded(tensor) else found
    return full


def as_sharded(values: Tensor, tensor: Tensor) -> Tensor:
    """Return `values`, equal on all processes, sharded as `tensor` is."""
    if not is_sharded(tensor):
        return values
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(tensor, DTensor)  # noqa: S101 - what is_sharded says
    values = values.to(tensor.dtype)
    return distribute_tensor(values, tensor.device_mesh, tensor.placements, src_data_rank=None)


def mean_over_processes(loss: Tensor, parameters: Iterable[Tensor]) -> Tensor:
    """Return the mean of a loss over the processes that shard the parameters, without a graph.

    FSDP2's gradients are those of this mean: each process counts alike, whatever its samples. Of
    plain parameters it is the loss itself.
    """
    loss = loss.detach()
    sharded: Any = next(filter(is_sharded, parameters), None)
    if sharded is None:
        return loss
    mesh, total = sharded.device_mesh, loss.clone()
    for dimension in range(mesh.ndim):
        torch.distributed.all_reduce(total, group=mesh.get_group(dimension))
    return total / int(mesh.size())
