"""Effective learning rates: of each matrix, its rate over its norm, η_k/‖W_k‖.

Where the outputs do not depend on a matrix's scale, training depends on η_k and ‖W_k‖ through this
alone: runs with other rates and norms but equal effective rates have equal loss curves (Liu et al.
2026, 2608.24814, whose definition this is, for updates that do not grow with the gradient). For SGD
it is η_k/‖W_k‖².
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

# The power of ‖W‖ by the optimizer: 1 where an update does not depend on the gradient's scale.
_POWERS: dict[str, int] = {"SGD": 2, "Adam": 1, "AdamW": 1, "RMSprop": 1, "Muon": 1}
# By what a group of `lrtransfer.parameterize` names.
_OF_GROUPS = {name.lower(): power for name, power in _POWERS.items()} | {"momentum": 2, "lion": 1}


class UnknownEffectiveRateError(ValueError):
    """An optimizer of which it is not known how its updates scale with the gradient."""


def effective_rates(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    weights: Mapping[str, Tensor] | None = None,
    power: int | None = None,
) -> dict[str, float]:
    """Return parameter name -> η_k/‖W_k‖^power (Frobenius), of every matrix in the optimizer.

    Args:
        model: The network; a tied parameter comes once.
        optimizer: SGD, Adam, AdamW, RMSprop or Muon of torch, or one of
            `lrtransfer.make_optimizer` with these or Lion; it holds the rates.
        weights: Parameter name -> W_k where it is not the model's own, as from before an update.
        power: For another optimizer: 1 if its updates do not change when all gradients double, 2
            if they double, too.

    Returns:
        Infinity for a matrix of zeros, NaN for one that diverged. Vectors and scalars have none.

    Raises:
        UnknownEffectiveRateError: The optimizer is another one and no power is given, or a tuner,
            whose rates are not its groups'.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.ones_(model.weight)
        >>> effective_rates(model, torch.optim.AdamW(model.parameters(), lr=0.5))
        {'weight': 0.25}
    """
    found = {}
    for name, (parameter, rate, known) in _matrices(model, optimizer, power):
        own = (weights or {}).get(name, parameter)
        found[name] = _over(rate, _norm(own) ** known)
    return found


@torch.no_grad()
def force_effective_rates(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rates: Mapping[str, float],
    *,
    power: int | None = None,
) -> None:
    """Rescale each matrix in `rates` so that its effective rate is the one given there.

    Called before every step of a run with the `effective_rates` of another one, it replays those
    (Liu et al. 2026: R_k = η_k/η_eff,k). A matrix of zeros, or whose rate is 0 now, stays; NaN
    makes NaN.

    Args:
        model: The network, changed in place.
        optimizer: It holds the rates of the step to come; its state stays.
        rates: Parameter name -> wanted effective rate.
        power: As in `effective_rates`.

    Raises:
        UnknownEffectiveRateError: As `effective_rates`.
        ValueError: `rates` names no matrix of the optimizer, or a wanted rate is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Linear(2, 2, bias=False)
        >>> optimizer = torch.optim.AdamW(model.parameters(), lr=0.5)
        >>> force_effective_rates(model, optimizer, {"weight": 0.125})
        >>> round(model.weight.norm().item(), 4)
        4.0
    """
    matrices = dict(_matrices(model, optimizer, power))
    if strange := sorted(set(rates) - set(matrices)):
        raise ValueError(f"rates names {strange[0]!r}, no matrix that the optimizer moves")
    for name, wanted in rates.items():
        if wanted <= 0 and matrices[name][1] != 0:
            raise ValueError(f"the effective rate of {name!r} is {wanted}; it must be positive")
    for name, wanted in rates.items():
        parameter, rate, known = matrices[name]
        norm = _norm(parameter)
        if norm == 0 or rate == 0 or math.isinf(wanted):
            continue
        parameter.mul_((rate / wanted) ** (1 / known) / norm)


def _matrices(
    model: nn.Module, optimizer: torch.optim.Optimizer, power: int | None
) -> Iterator[tuple[str, tuple[nn.Parameter, float, int]]]:
    """Yield name, and parameter, learning rate and the power of ‖W‖."""
    if any(kind.__module__ == "lrtransfer.optim.tuners.tuner" for kind in type(optimizer).__mro__):
        raise UnknownEffectiveRateError(
            f"{type(optimizer).__name__} chooses the rate of each step, which its groups do not "
            "hold: give an optimizer without a tuner"
        )
    groups = [(g, _power(optimizer, g) if power is None else power) for g in optimizer.param_groups]
    own = {id(p): (float(g["lr"]), known) for g, known in groups for p in g["params"]}
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1 and id(parameter) in own:
            yield name, (parameter, *own[id(parameter)])


def _power(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> int:
    kind = type(optimizer)
    ours = kind.__module__.startswith(("torch.optim", "lrtransfer.optim"))
    if ours and kind.__name__ in _POWERS:
        return _POWERS[kind.__name__]
    if ours and kind.__name__ == "GroupedOptimizer" and group["optimizer"] in _OF_GROUPS:
        return _OF_GROUPS[group["optimizer"]]
    raise UnknownEffectiveRateError(
        f"how the updates of {kind.__name__} scale with the gradient is not known here: pass "
        "power=1 if they do not change when all gradients double, power=2 if they double"
    )


def _over(rate: float, size: float) -> float:
    if size == 0:
        return math.inf
    return rate / size if math.isfinite(size) else math.nan


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64))
