"""Relative learning rates of a model's parameters, read from optimizer parameter groups."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from lrtransfer.curvature.forward import Scale

ParameterGroups: TypeAlias = Sequence[Mapping[str, Any]]
"""What torch optimizers take and keep: dicts with "params" and "lr"."""


def relative_rates(
    model: nn.Module, groups: ParameterGroups, *, lr: float | None = None
) -> dict[str, float]:
    """Return the diagonal D of each trainable parameter: its group's rate over the global one.

    Gradient descent on the groups is stable on the quadratic model iff λ_max(D^½HD^½) < 2/lr.
    The global rate is free to choose, because D and the edge move together; comparing equivalent
    forms of one network, or widths, takes the same `lr` for all.

    Args:
        model: the module whose parameters the groups hold.
        groups: dicts with "params" (tensors, or (name, tensor) pairs) and "lr", such as
            `optimizer.param_groups`. A rate of 0 keeps its parameters still.
        lr: the global rate; None is the largest rate of the groups, so that groups of one rate
            leave the Hessian as it is, whatever the schedule has made of that rate.

    Returns:
        Parameter name -> relative rate, for every trainable parameter, tied ones once.

    Raises:
        ValueError: a group lacks its rate or has a bad one, a parameter is not the model's, is in
            two groups or in none, or `lr` is not positive.
    """
    rates = _group_rates(model, groups)
    reference = max(rates.values()) if lr is None else lr
    if not (math.isfinite(reference) and reference > 0):
        raise ValueError(f"lr is {reference}; the global learning rate must be positive")
    return {name: rate / reference for name, rate in rates.items()}


def diagonal(
    model: nn.Module, scale: Scale | None, groups: ParameterGroups | None, lr: float | None
) -> Scale | None:
    """Return D from whichever of `scale` and `groups` is given.

    Raises:
        ValueError: both are given, or `lr` without groups; and as `relative_rates`.
    """
    if groups is None:
        if lr is not None:
            raise ValueError("lr is what the rates of groups are relative to; pass groups too")
        return scale
    if scale is not None:
        raise ValueError("pass scale or groups, not both")
    return relative_rates(model, groups, lr=lr)


def _group_rates(model: nn.Module, groups: ParameterGroups) -> dict[str, float]:
    """Return the absolute learning rate of each trainable parameter by its name.

    Raises:
        ValueError: as `relative_rates`.
    """
    if isinstance(groups, torch.optim.Optimizer):
        raise ValueError("groups is an optimizer; pass optimizer.param_groups")
    if (
        isinstance(groups, Mapping)
        or not isinstance(groups, Iterable)
        or not all(isinstance(group, Mapping) for group in groups)
    ):
        raise ValueError("groups must be a list of dicts with 'params' and 'lr'")
    rates: dict[int, float] = {}
    known = {id(p): name for name, p in model.named_parameters()}
    for index, group in enumerate(groups):
        rate = _rate(index, group)
        for parameter in _parameters(group):
            if id(parameter) not in known:
                raise ValueError(
                    f"groups[{index}] holds a tensor of shape {tuple(parameter.shape)} that is no "
                    "parameter of the model"
                )
            if id(parameter) in rates:
                raise ValueError(f"groups hold {known[id(parameter)]!r} twice")
            rates[id(parameter)] = rate
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    missing = [name for name, parameter in trainable.items() if id(parameter) not in rates]
    if missing or not trainable:
        raise ValueError(
            f"groups lack {missing or 'any trainable parameter'}; give each trainable parameter a "
            "group (lr 0 keeps it still) or freeze it"
        )
    return {name: rates[id(parameter)] for name, parameter in trainable.items()}


def _rate(index: int, group: Mapping[str, Any]) -> float:
    if "lr" not in group or "params" not in group:
        raise ValueError(f"groups[{index}] must have 'params' and 'lr'; it has {sorted(group)}")
    rate = float(group["lr"])
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"groups[{index}]['lr'] is {rate}; it must be finite and not negative")
    return rate


def _parameters(group: Mapping[str, Any]) -> Iterable[Tensor]:
    params = group["params"]
    listed = [params] if isinstance(params, Tensor) else list(params)
    return [item[1] if isinstance(item, tuple) else item for item in listed]
