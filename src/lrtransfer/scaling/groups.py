"""Optimizers by family, and the parameter groups that torch's optimizers take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lrtransfer.scaling.rebind import names
from lrtransfer.scaling.rules import Scaled
from lrtransfer.scaling.symmetry import Family

Group = dict[str, Any]

# How an optimizer's update scales with its gradient.
FAMILIES: Mapping[str, Family] = {
    "sgd": "sgd",
    "momentum": "sgd",
    "adam": "adam",
    "adamw": "adam",
    "rmsprop": "adam",
    "lion": "adam",
    "adopt": "adam",
    "muon": "adam",
    "shampoo": "adam",
    "soap": "adam",
    "muonh": "adam",
    "adamh": "adam",
}
# Those that step hidden matrices alone, the rest being AdamW's -> their own column of the table.
OF_MATRICES: Mapping[str, str] = {
    "muon": "muon",
    "shampoo": "shampoo",
    "soap": "soap",
    "muonh": "fixed_norm",
    "adamh": "fixed_norm",
}
# Subclasses first: AdamW is an Adam.
_CLASSES: tuple[tuple[type[torch.optim.Optimizer], str], ...] = (
    (torch.optim.AdamW, "adamw"),
    (torch.optim.Adam, "adam"),
    (torch.optim.RMSprop, "rmsprop"),
    (torch.optim.SGD, "sgd"),
)
_COUPLED = frozenset({"adam", "rmsprop"})


@dataclass(frozen=True)
class Settings:
    """The optimizer's global numbers: learning rate, weight decay, ε of the denominator."""

    lr: float
    weight_decay: float
    eps: float


def optimizer_name(optimizer: str | type[torch.optim.Optimizer]) -> str:
    """Return one of `FAMILIES` for a name or a class of torch.

    Raises:
        ValueError: It is none of them.

    Example:
        >>> from lrtransfer.scaling.groups import optimizer_name
        >>> import torch
        >>> optimizer_name(torch.optim.AdamW)
        'adamw'
    """
    if isinstance(optimizer, str):
        if optimizer in FAMILIES:
            return optimizer
    elif isinstance(optimizer, type):
        for known, name in _CLASSES:
            if issubclass(optimizer, known):
                return name
    raise ValueError(
        f"optimizer is {optimizer!r}. Give {', '.join(FAMILIES)}, or torch's class; for another "
        "one the name of the optimizer that moves alike: by the gradient (sgd), or by the "
        "gradient over its size (adamw)."
    )


def column(optimizer: str) -> str:
    """Return the column of a parameterization's table that an optimizer follows.

    Example:
        >>> from lrtransfer.scaling.groups import column
        >>> column("lion"), column("muonh")
        ('adam', 'fixed_norm')
    """
    return OF_MATRICES.get(optimizer, FAMILIES[optimizer])


def check_settings(settings: Settings, optimizer: str) -> None:
    """Check the global numbers.

    Raises:
        ValueError: One is negative or not finite, or weight decay is asked of an optimizer that
            normalises it together with the gradient.
    """
    for name, value in vars(settings).items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}. Give a finite number, not negative.")
    if settings.weight_decay and optimizer in _COUPLED:
        raise ValueError(
            f"weight_decay is {settings.weight_decay}, but {optimizer} normalises the decay with "
            "the gradient, for which no parameterization has a rule. Use adamw, or 0."
        )


def build_groups(
    model: nn.Module,
    scaled: Mapping[str, Scaled],
    roles: Mapping[str, str],
    settings: Settings,
    family: Family,
) -> list[Group]:
    """Return one group for all trained tensors of equal role and numbers.

    Args:
        model: The network; frozen parameters are in no group.
        scaled: Parameter name -> its numbers.
        roles: Parameter name -> its role.
        settings: The global numbers.
        family: `adam` groups have `eps`.

    Raises:
        ValueError: No parameter is trained.
    """
    merged: dict[tuple[str, float, float, float], Group] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        own = scaled[name]
        key = (roles[name], own.learning_rate, own.weight_decay, own.epsilon)
        group = merged.setdefault(key, _group(roles[name], own, settings, family))
        group["params"].append(parameter)
        group["names"].append(name)
    if not merged:
        raise ValueError("every parameter is frozen. Leave at least one with requires_grad.")
    return list(merged.values())


def rates(groups: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return parameter name -> its learning rate over the global one.

    This is the diagonal D of the sharpness λ_max(D^½HD^½), `scale=` of
    `lrtransfer.sharpness`; its edge of stability under gradient descent is 2 over the
    global rate, whichever equivalent form the network is in.

    Args:
        groups: What `lrtransfer.parameterize` returned.

    Raises:
        ValueError: A group is another's, without relative rate.

    Example:
        >>> import lrtransfer as lt
        >>> lt.rates([{"names": ["first.weight", "first.bias"], "relative_rate": 0.5}])
        {'first.weight': 0.5, 'first.bias': 0.5}
    """
    found: dict[str, float] = {}
    for group in groups:
        if "relative_rate" not in group:
            raise ValueError(
                "a group has no relative_rate. Give the groups that lrtransfer.parameterize "
                "returned."
            )
        found |= dict.fromkeys(names(group), group["relative_rate"])
    return found


def _group(role: str, scaled: Scaled, settings: Settings, family: Family) -> Group:
    group: Group = {
        "params": [],
        "names": [],
        "role": role,
        "lr": settings.lr * scaled.learning_rate,
        "weight_decay": settings.weight_decay * scaled.weight_decay,
        "relative_rate": scaled.learning_rate,
        "relative_weight_decay": scaled.weight_decay,
    }
    if family == "adam":
        group |= {
            "eps": settings.eps * scaled.epsilon,
            "relative_epsilon": scaled.epsilon,
        }
    return group
