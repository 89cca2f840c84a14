"""The matrices that a tensor holds: convolutions flattened, stacks and fused maps taken apart.

An optimizer that looks at a whole matrix, its singular vectors or its norm, has to be given the
maps one by one: of queries, keys and values in one tensor the largest gradient would rule the
others, and a stack of experts is none at all. Which maps a tensor holds is its form, a plain dict
so that it goes with a parameter group into any checkpoint; left out, a tensor is one matrix
(out, in), or (out, in, …) flattened to in·k² inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Form = Mapping[str, Any]

# What torch fuses along the outputs: a module's class -> starts of the tensors, parts. An LSTM's
# projection (`weight_hr`) is one map.
_FUSED: Mapping[type[nn.Module], tuple[tuple[str, ...], int]] = {
    nn.MultiheadAttention: (("in_proj_weight",), 3),
    nn.LSTM: (("weight_ih", "weight_hh"), 4),
    nn.LSTMCell: (("weight_ih", "weight_hh"), 4),
    nn.GRU: (("weight_ih", "weight_hh"), 3),
    nn.GRUCell: (("weight_ih", "weight_hh"), 3),
}
# Parts of names that others fuse under; torch's own bilinear names are not among them.
_SUSPECTS = ("qkv", "c_attn", "query_key_value", "gate_up", "wqkv", "in_proj", "w12", "kv_proj")


class Interleaved(NamedTuple):
    """Maps whose outputs alternate: part 0 of group 0, part 1 of group 0, …; GPT-NeoX has heads.

    Attributes:
        parts: How many maps.
        groups: How often they alternate: the heads, or the outputs of one map.
    """

    parts: int
    groups: int


Fused = int | Interleaved | Sequence[int]


def form_of(
    name: str,
    tensor: Tensor,
    owner: nn.Module,
    axes: Sequence[str],
    fused: Fused | None = None,
) -> dict[str, Any]:
    """Return the form of a hidden tensor; it has only what differs from one matrix (out, in).

    `stacked` is an axis of matrices before the others, `transposed` inputs before outputs, `parts`
    the outputs of each fused map, `interleaved` how often these alternate.

    Args:
        name: The parameter's name.
        tensor: The parameter.
        owner: The module that holds it.
        axes: The meaning of its first axes, `out`, `in` and `stack`; others are a kernel's.
        fused: Of how many maps its outputs consist, the sizes of each, or `Interleaved`; 1 tells
            that it is one.

    Raises:
        ValueError: By its name it holds several maps, and how many is not told; or they do not fit,
            or are the groups of a transposed convolution.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lrtransfer.scaling.matrices import form_of
        >>> stack = nn.Parameter(torch.zeros(4, 32, 8))  # experts, outputs, inputs
        >>> form_of("experts.gate_up", stack, nn.Module(), ("stack", "out", "in"), fused=2)
        {'stacked': True, 'parts': [16, 16]}
    """
    form: dict[str, Any] = {}
    if "stack" in axes:
        form["stacked"] = True
    if axes.index("in") < axes.index("out"):
        form["transposed"] = True
    parts = fused if fused is not None else _known(name, owner)
    if parts is None and any(part in name.lower() for part in _SUSPECTS):
        raise ValueError(
            f"{name!r} looks like several maps in one tensor, which have to be stepped one by one. "
            "Give MatrixOptimizer(fused={name: 3}), the number of its maps (or their sizes), or 1 "
            "if it is one."
        )
    if parts is not None and parts != 1:
        form["parts"] = _sizes(name, tensor.shape[axes.index("out")], parts)
        if isinstance(parts, Interleaved):
            form["interleaved"] = parts.groups
    return form


class Matrix(NamedTuple):
    """One map of a tensor.

    Attributes:
        view: Its entries where they are, axes of outputs before those of inputs.
        outputs: How many axes are outputs.
    """

    view: Tensor
    outputs: int

    def plain(self) -> Tensor:
        """Return it as (out, in), a view where the entries lie so."""
        return self.view.reshape(math.prod(self.view.shape[: self.outputs]), -1)

    def put(self, plain: Tensor) -> None:
        """Overwrite the entries with what `plain` returned and someone changed in place."""
        if plain.untyped_storage().data_ptr() != self.view.untyped_storage().data_ptr():
            self.view.copy_(plain.view(self.view.shape))


def matrices(tensor: Tensor, form: Form | None = None) -> list[Matrix]:
    """Return the maps of a tensor.

    Example:
        >>> import torch
        >>> from lrtransfer.scaling.matrices import matrices
        >>> [tuple(m.plain().shape) for m in matrices(torch.zeros(6, 4, 3), {"parts": [2, 4]})]
        [(2, 12), (4, 12)]
    """
    form = form or {}
    found = list(tensor.unbind(0)) if form.get("stacked") else [tensor]
    if form.get("transposed"):
        found = [matrix.transpose(0, 1) for matrix in found]
    if groups := form.get("interleaved"):
        shape = (groups, len(form["parts"]), form["parts"][0] // groups)
        found = [m.reshape(shape + m.shape[1:])[:, i] for m in found for i in range(shape[1])]
        return [Matrix(matrix, 2) for matrix in found]
    if "parts" in form:
        found = [part for m in found for part in torch.split(m, list(form["parts"]))]
    return [Matrix(matrix, 1) for matrix in found]


def _known(name: str, owner: nn.Module) -> int | None:
    leaf = name.rpartition(".")[2]
    for kind, (starts, parts) in _FUSED.items():
        if isinstance(owner, kind) and leaf.startswith(starts):
            return parts
    if isinstance(owner, nn.modules.conv._ConvNd) and leaf == "weight" and owner.groups > 1:
        if isinstance(owner, nn.modules.conv._ConvTransposeNd):
            raise ValueError(
                f"{name!r} holds {owner.groups} maps side by side along its inputs, which cannot "
                "be stepped one by one. Take an optimizer that is not one of matrices, or separate "
                "layers."
            )
        return owner.groups
    return None


def _sizes(name: str, outputs: int, parts: Fused) -> list[int]:
    count = parts.parts if isinstance(parts, Interleaved) else parts
    sizes = [outputs // count] * count if isinstance(count, int) else list(count)
    uneven = isinstance(parts, Interleaved) and outputs % (parts.parts * parts.groups)
    if uneven or sum(sizes) != outputs or min(sizes, default=0) < 1:
        raise ValueError(f"fused says {parts} of {name!r}, which has {outputs} outputs.")
    return sizes
