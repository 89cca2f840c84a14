"""The direction u: what the base optimizer would do at learning rate 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.optim.optax_rmsprop import OptaxRMSProp

Group = dict[str, Any]

_COUPLED: tuple[type[torch.optim.Optimizer], ...] = (
    torch.optim.SGD,
    torch.optim.RMSprop,
    torch.optim.Adam,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adamax,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
    OptaxRMSProp,
)
_DECOUPLED: tuple[type[torch.optim.Optimizer], ...] = tuple(
    getattr(torch.optim, name) for name in ("AdamW", "Muon") if hasattr(torch.optim, name)
)
_REFUSED = (torch.optim.LBFGS, torch.optim.SparseAdam)


@dataclass(frozen=True)
class Member:
    """A parameter with the numbers of its group.

    Attributes:
        parameter: The tensor.
        rate: D_i, its learning rate over the global one.
        penalty: λ of ½λ‖w‖², weight decay that is part of the loss being tuned.
        shrinkage: λ of decoupled weight decay, w ← (1 − ηD_iλ)w beside the tuned step.
    """

    parameter: nn.Parameter
    rate: float
    penalty: float
    shrinkage: float


def check_base(base: torch.optim.Optimizer) -> None:
    """Check that tuners know what a step of `base` means.

    Raises:
        TypeError: `base` is no optimizer of torch.
        ValueError: `base` searches by itself, takes sparse gradients, maximizes, is differentiable,
            decays weights in an unknown way, or holds parameters below float32, complex, with
            hooks on their gradients, or none that is trained.
    """
    if not isinstance(base, torch.optim.Optimizer):
        raise TypeError(f"base is {type(base).__name__}; give a torch.optim.Optimizer")
    name = type(base).__name__
    if isinstance(base, _REFUSED):
        raise ValueError(f"base is {name}, which a tuner cannot wrap; give SGD, Adam, …")
    for group in base.param_groups:
        if group.get("maximize"):
            raise ValueError("base maximizes; negate the loss instead, tuners minimize")
        if group.get("differentiable"):
            raise ValueError(
                "base has differentiable=True; a tuner's step has no graph, leave it out"
            )
        if group.get("fixed_norm"):
            raise ValueError(
                "base keeps norms fixed, so its step is no line in the learning rate that a tuner "
                "could choose along; tune without Hyperball"
            )
        known = _is_known(base) or group.get("decoupled_weight_decay")
        if group.get("weight_decay") and not known:
            raise ValueError(
                f"base is {name} with weight_decay={group['weight_decay']}, and whether it couples "
                "the decay to the gradient is unknown; use weight_decay=0 and add the penalty to "
                "the loss"
            )
        for parameter in group["params"]:
            if parameter.dtype not in (torch.float32, torch.float64):
                raise ValueError(
                    f"base holds {parameter.dtype} parameters; a tuner needs float32 or float64. "
                    "Keep such weights and use autocast for speed"
                )
            if parameter._backward_hooks:
                raise ValueError(
                    "a parameter of base has a gradient hook, which would act on the curvature "
                    "too; change the gradient in a step pre-hook on base instead"
                )
    if not any(p.requires_grad for group in base.param_groups for p in group["params"]):
        raise ValueError("base has no parameter with requires_grad; nothing can be tuned")


def member(
    base: torch.optim.Optimizer, group: Group, parameter: nn.Parameter, rate: float
) -> Member:
    """Return `parameter` with the numbers of its `group`."""
    decay = float(group.get("weight_decay") or 0.0)
    decoupled = isinstance(base, _DECOUPLED) or bool(group.get("decoupled_weight_decay"))
    return Member(parameter, rate, 0.0 if decoupled else decay, decay if decoupled else 0.0)


def direction(
    base: torch.optim.Optimizer, members: Sequence[Member], gradient: Sequence[Tensor]
) -> list[Tensor]:
    """Advance the state of `base` by one step and return its update at the rates D.

    The step is taken on stand-ins of the parameters, which keep their values and autograd
    versions. Torch's own optimizers see a parameter in weight decay alone, which the caller has
    put into `gradient` or leaves out; so their stand-in is zero and u comes out to the last bit,
    where the difference of two weights would lose the digits of a small step. For any other
    optimizer u is that difference.

    Args:
        base: The optimizer; its momentum, moments and counters advance.
        members: The parameters to move.
        gradient: What `base` finds in `grad`, one for each member.
    """
    from_zero = _is_known(base)
    starts = [m.parameter.detach() for m in members]
    stand_ins = [
        torch.zeros_like(start) if from_zero else nn.Parameter(start.clone()) for start in starts
    ]
    held = [m.parameter.grad for m in members]  # as the caller left them
    for m, stand_in, slope in zip(members, stand_ins, gradient, strict=True):
        # A hook on the base may clip it in place, by the groups' tensors or by the model's.
        m.parameter.grad = stand_in.grad = slope.clone()
    places = {id(m.parameter): index for index, m in enumerate(members)}
    saved = [dict(group) for group in base.param_groups]
    for m, stand_in in zip(members, stand_ins, strict=True):
        if m.parameter in base.state:
            base.state[stand_in] = base.state.pop(m.parameter)
    try:
        for group in base.param_groups:
            chosen = [places[id(p)] for p in group["params"] if id(p) in places]
            group["params"] = [stand_ins[index] for index in chosen]
            if chosen:
                group["lr"] = _like(group["lr"], members[chosen[0]].rate)
            if "weight_decay" in group:
                group["weight_decay"] = 0.0
        with torch.no_grad():
            base.step()
    finally:
        for group, before in zip(base.param_groups, saved, strict=True):
            group |= {
                name: before[name] for name in ("params", "lr", "weight_decay") & before.keys()
            }
        for m, stand_in in zip(members, stand_ins, strict=True):
            if stand_in in base.state:
                base.state[m.parameter] = base.state.pop(stand_in)
        for m, own in zip(members, held, strict=True):
            m.parameter.grad = own
    if from_zero:
        return [stand_in.detach() for stand_in in stand_ins]
    return [stand_in.detach() - start for stand_in, start in zip(stand_ins, starts, strict=True)]


def _is_known(base: torch.optim.Optimizer) -> bool:
    return type(base) in (*_COUPLED, *_DECOUPLED)


def _like(old: float | Tensor, rate: float) -> float | Tensor:
    return torch.full_like(old, rate) if isinstance(old, Tensor) else rate
