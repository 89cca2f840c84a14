"""Multipliers into the weights, for good: what is left is a plain module."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lrtransfer.scaling.affine import output_axes, times
from lrtransfer.scaling.hooks import MultiplyArgument, Planned, multipliers, remove_multipliers
from lrtransfer.scaling.rebind import FoldedParameter

Scaling = tuple[nn.Parameter, Tensor, int]
"""A tensor, and what it is multiplied by along one of its axes."""


@dataclass(frozen=True)
class Left:
    """A multiplier that `fold` had to leave as a hook.

    Attributes:
        module: The module that it acts on.
        role: What it multiplies in the parameterization's table.
        factor: The multiplier.
        why: Why no weight can take it.
    """

    module: str
    role: str
    factor: float
    why: str


def fold(model: nn.Module, *, strict: bool = False) -> list[Left]:
    """Put the multipliers that are hooks into the weights, in place; the outputs stay.

    `lrtransfer.parameterize` leaves a hook where a multiplier has no tensor of its own: queries
    that share a tensor, and with it a rate, with keys and values. Their rows are multiplied here,
    for training has ended and no rate is at stake. The model is then plain: its `state_dict`, or
    what `save_pretrained` writes, loaded into a model of the same class that nobody parameterized,
    computes the same.

    Every parameter of the model is a new tensor afterwards, unless there was nothing to fold: an
    optimizer built before is stale and raises at its next step. To train on, parameterize before.

    Args:
        model: A model that `lrtransfer.parameterize` was given, trained or not, or a copy or pickle
            of it; compiled too. Not sharded: gather the weights first.
        strict: Raise, and change nothing, if a multiplier would be left.

    Returns:
        The multipliers that had to stay as hooks; they act as before.

    Raises:
        ValueError: `strict`, and some would be left, named in the message; or weights are sharded.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> import lrtransfer as lt
        >>> def net(n: int) -> nn.Module:
        ...     return nn.ModuleDict({"a": nn.MultiheadAttention(n, 2), "b": nn.Linear(n, 1)})
        >>> model = net(64)
        >>> groups = lt.parameterize(model, "mup", base=net(32), optimizer="adamw", lr=1e-3)
        >>> len(model["a"]._forward_pre_hooks), lt.fold(model), len(model["a"]._forward_pre_hooks)
        (1, [], 0)
    """
    found = multipliers(model)
    places = Counter(id(p) for m in model.modules() for p in m._parameters.values())
    scalings: list[Scaling] = []
    left: list[Left] = []
    stay: list[Planned] = []
    for plan in found:
        own, why = _scalings(model.get_submodule(plan.module), plan)
        if any(places[id(parameter)] > 1 for parameter, _, _ in own):
            own, why = [], "its weight is also another module's"
        scalings += own
        if not own:
            stay.append(plan)
            left.append(Left(plan.module, plan.hook.role, plan.hook.factor, why))
    if left and strict:
        said = "; ".join(f"{one.role} of {one.module!r} ({one.why})" for one in left)
        raise ValueError(f"no weight can take the multiplier of {said}. Use strict=False.")
    if scalings:
        _check_whole(model)
        new = _scaled(model, scalings)
        _replace(model, new)
        remove_multipliers(model, keep=stay)
    return left


def _scalings(module: nn.Module, plan: Planned) -> tuple[list[Scaling], str]:
    """Return what takes the multiplier, or nothing and why."""
    hook = plan.hook
    if isinstance(hook, MultiplyArgument):
        if isinstance(module, nn.MultiheadAttention) and hook.keyword == "key":
            if module.in_proj_weight is None:
                weight, keys = module.k_proj_weight, slice(None)
            else:
                weight, keys = module.in_proj_weight, slice(module.embed_dim, 2 * module.embed_dim)
            factors = torch.ones(len(weight), dtype=torch.float64)
            factors[keys] = hook.factor  # their bias is the same for every logit of a query
            return [(weight, factors, 0)], ""
        if isinstance(module, nn.Linear):  # not its bias
            factors = torch.tensor([hook.factor], dtype=torch.float64)
            return [(module.weight, factors, 0)], ""  # type: ignore[list-item]
        return [], f"a {type(module).__name__} does not tell which weight its input meets first"
    axes = output_axes(module)
    if axes is None:
        return [], f"a {type(module).__name__} is not linear in weights of its own"
    found = []
    for leaf, axis in axes.items():
        parameter = module.get_parameter(leaf)
        factors = torch.ones(parameter.shape[axis], dtype=torch.float64)
        start, stop = (0, None) if hook.part is None else hook.part
        factors.view(-1, hook.period or len(factors))[:, start:stop] = hook.factor
        found.append((parameter, factors, axis))
    return found, ""


def _check_whole(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if type(parameter) is not nn.Parameter:
            raise ValueError(
                f"{name} is a {type(parameter).__name__}, and fold takes whole tensors. Fold a "
                "model that is not wrapped, with the gathered state_dict loaded."
            )


def _scaled(model: nn.Module, scalings: list[Scaling]) -> dict[int, nn.Parameter]:
    """Return a new tensor for every parameter: multiplied, or with the same memory."""
    values: dict[int, Tensor] = {id(p): p.detach() for p in model.parameters()}
    for parameter, factors, axis in scalings:
        values[id(parameter)] = times(values[id(parameter)], factors, axis)
    new = {}
    for p in model.parameters():
        new[id(p)] = nn.Parameter(values[id(p)], requires_grad=p.requires_grad)
        new[id(p)].__dict__.update(p.__dict__)
    return new


def _replace(model: nn.Module, new: dict[int, nn.Parameter]) -> None:
    old = list(model.parameters())
    for module in model.modules():
        for leaf, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[leaf] = new[id(parameter)]
    for parameter in old:
        parameter.__class__ = FoldedParameter
