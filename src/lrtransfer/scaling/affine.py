"""Multipliers without hooks: which tensors a module's output is linear in, all together.

What multiplies the output of such a module is a multiplier of these tensors, and the abc-symmetry
(`symmetry.py`) takes it into their initial values, rates, decays and ε. Torch's own layers are
known; another one without modules and buffers inside (transformers' `Conv1D`, anybody's RMSNorm)
is asked: with its tensors doubled, its output must double. A gain that enters as 1 + g does not.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrtransfer.scaling.hooks import MultiplyArgument, Planned

Axes = Mapping[str, int]
"""Name of a module's own tensor -> its axis along which the outputs lie."""

# By what they compute, since a subclass may compute something else.
_ROWS_ARE_OUTPUTS = (
    nn.Linear.forward,
    nn.Conv1d.forward,
    nn.Conv2d.forward,
    nn.Conv3d.forward,
    nn.LayerNorm.forward,
    nn.RMSNorm.forward,
    nn.GroupNorm.forward,
    nn.BatchNorm2d.forward,
    nn.InstanceNorm2d.forward,
)
_PASSES = (
    nn.Identity.forward,
    nn.Dropout.forward,
    nn.Dropout1d.forward,
    nn.Dropout2d.forward,
    nn.Dropout3d.forward,
)


@dataclass(frozen=True)
class Taken:
    """What `take_in` finds.

    Attributes:
        factors: Parameter name, as in `named_parameters` -> the multiplier that it takes.
        kept: The multipliers that no tensors take.
    """

    factors: Mapping[str, float]
    kept: Sequence[Planned]


def output_axes(module: nn.Module) -> Axes | None:
    """Return the tensors that a module's output is linear in together, or None.

    Example:
        >>> from lrtransfer.scaling.affine import output_axes
        >>> from torch import nn
        >>> output_axes(nn.Linear(4, 8)), output_axes(nn.GELU())
        ({'weight': 0, 'bias': 0}, None)
    """
    own = {leaf: tensor for leaf, tensor in module._parameters.items() if tensor is not None}
    if "weight" not in own or not own.keys() <= {"weight", "bias"}:
        return None
    if type(module).forward in _ROWS_ARE_OUTPUTS:
        return dict.fromkeys(own, 0)
    return _asked(module, own)


def last_map(model: nn.Module, name: str) -> str:
    """Return the module whose output is that of the module `name`: itself, or one inside.

    Example:
        >>> from lrtransfer.scaling.affine import last_map
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Dropout()))
        >>> last_map(model, "1")
        '1.0'
    """
    module = model.get_submodule(name)
    forward = type(module).forward
    if forward is nn.MultiheadAttention.forward:
        return f"{name}.out_proj"
    if forward is nn.Sequential.forward:
        for leaf, inner in reversed(module._modules.items()):
            if inner is not None and type(inner).forward not in _PASSES:
                return last_map(model, f"{name}.{leaf}")
    return name


def take_in(
    model: nn.Module,
    planned: Iterable[Planned],
    ends: Mapping[str, Sequence[str]],
    norms: Mapping[str, str],
    fixed: Collection[str] = (),
) -> Taken:
    """Give multipliers to tensors wherever algebra can.

    Args:
        model: The network.
        planned: Its multipliers.
        ends: Module -> the modules or parameters that its output is linear in together, where
            that cannot be told from torch's own containers.
        norms: Linear module -> the norm whose output, used nowhere else, is its input.
        fixed: Parameters that take none.
    """
    named = dict(model.named_parameters(remove_duplicate=False))
    names = {id(tensor): name for name, tensor in model.named_parameters()}
    places = Counter(id(p) for m in model.modules() for p in m._parameters.values())
    reached = [(plan, _tensors(model, named, plan, ends, norms)) for plan in planned]
    factors: dict[str, float] = {}
    kept = []
    for plan, tensors in reached:
        found = [names[id(tensor)] for tensor in tensors if places[id(tensor)] == 1]
        shared = any(_share(plan, other) for other, own in reached if _meet(tensors, own))
        if (
            tensors
            and len(found) == len(tensors)
            and not shared
            and not any(name in fixed for name in found)
        ):
            for name in found:
                factors[name] = factors.get(name, 1.0) * plan.hook.factor
        else:
            kept.append(plan)
    return Taken(factors, kept)


def _meet(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return not {id(tensor) for tensor in some}.isdisjoint(id(tensor) for tensor in others)


def _share(plan: Planned, other: Planned) -> bool:
    """Return whether two modules end in one map, each for itself, neither inside the other."""
    if isinstance(plan.hook, MultiplyArgument) or isinstance(other.hook, MultiplyArgument):
        return False
    one, two = (f"{module}." if module else "" for module in (plan.module, other.module))
    return not (one.startswith(two) or two.startswith(one))


def _tensors(
    model: nn.Module,
    named: Mapping[str, Tensor],
    plan: Planned,
    ends: Mapping[str, Sequence[str]],
    norms: Mapping[str, str],
) -> list[Tensor]:
    """Return the tensors that take a multiplier, none if it cannot be."""
    if isinstance(plan.hook, MultiplyArgument):
        own = model.get_submodule(plan.module)
        if isinstance(own, nn.MultiheadAttention):  # a key's bias is the same for every logit
            return [] if own.k_proj_weight is None else [own.k_proj_weight]
        return _whole(model, norms[plan.module]) if plan.module in norms else []
    if plan.hook.part is not None:
        return []
    found = []
    for end in ends.get(plan.module, [last_map(model, plan.module)]):
        tensors = [named[end]] if end in named else _whole(model, end)
        if not tensors:
            return []
        found += tensors
    return found


def _whole(model: nn.Module, name: str) -> list[Tensor]:
    module = model.get_submodule(name)
    return [module._parameters[leaf] for leaf in output_axes(module) or {}]  # type: ignore[misc]


def _asked(module: nn.Module, own: Mapping[str, Tensor]) -> Axes | None:
    """Return the axes of a module that torch does not know, from what it does to numbers."""
    weight = own["weight"]
    if module._modules or module._buffers or weight.ndim not in (1, 2) or weight.is_meta:
        return None
    random = torch.Generator().manual_seed(0)
    for axis in range(weight.ndim):
        features = weight.shape[axis if weight.ndim == 1 else 1 - axis]
        inputs = torch.rand(2, features, generator=random).to(weight)
        axes = {leaf: axis if leaf == "weight" else 0 for leaf in own}
        if len({t.shape[axes[leaf]] for leaf, t in own.items()}) > 1:
            continue
        drawn = {leaf: torch.rand(t.shape, generator=random).to(t) for leaf, t in own.items()}
        factors = torch.ones(weight.shape[axis]).to(weight)
        factors[0] = 2.0  # exact in every floating-point type
        scaled = {leaf: times(t, factors, axes[leaf]) for leaf, t in drawn.items()}
        once, twice = _called(module, drawn, inputs), _called(module, scaled, inputs)
        if once is None or twice is None or once.shape[-1:] != factors.shape:
            continue
        if bool(once.any()) and torch.equal(twice, once * factors):
            return axes
    return None


def times(tensor: Tensor, factors: Tensor, axis: int) -> Tensor:
    """Return `tensor` multiplied along one axis.

    Example:
        >>> from lrtransfer.scaling.affine import times
        >>> import torch
        >>> times(torch.ones(2, 3), torch.tensor([1.0, 2.0]), 0).tolist()
        [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """
    shape = [1] * tensor.ndim
    shape[axis] = -1
    return tensor.detach() * factors.to(tensor).view(shape)


def _called(module: nn.Module, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor | None:
    twin = copy.copy(module)  # without hooks: forward is called, not the module
    twin.__dict__ |= {"_parameters": dict(tensors), "training": False}  # nothing draws
    try:
        output = twin.forward(inputs)
    except Exception:  # an input that it does not take tells as much
        return None
    return output if isinstance(output, Tensor) else None
