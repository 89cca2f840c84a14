"""The diagonal that an adaptive optimizer's state divides its updates by."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.curvature.rates import relative_rates

_REMEDY = (
    "supported are torch.optim.Adam, AdamW and RMSprop; for SGD use groups=optimizer.param_groups"
)


def preconditioner(
    model: nn.Module, optimizer: torch.optim.Optimizer, *, lr: float | None = None
) -> dict[str, Tensor]:
    """Return D P⁻¹ for every trainable parameter, ready to be the `scale` of an operator.

    D holds the relative learning rates of the optimizer's groups (see `relative_rates`). With t
    steps taken and ν the running mean of squared gradients in the optimizer's state,

    - Adam, AdamW:  P = (1−β₁ᵗ) [√(ν/(1−β₂ᵗ)) + ε]  (Noci et al. 2024, J.1; Cohen et al. 2022);
      with `amsgrad` ν is its running maximum;
    - RMSprop:      P = √ν + ε; when `centered`, ν less the squared mean gradient.

    So each update is −lr D P⁻¹ m with m the state's own momentum. For a frozen P the edge of
    stability is λ_max = 2(1+β₁)/((1−β₁) lr) for Adam, 2/lr for RMSprop, and 2(1+μ)/lr for RMSprop
    with momentum μ. The spectrum is that of D P⁻¹H; eigenvectors come in the coordinates
    D^{-½}P^{½}θ. The optimizer's weight decay is no part of P, nor of H unless the loss holds it.

    A parameter that never had a gradient is never moved: its entries are 0.

    Args:
        model: the module that `optimizer` trains.
        optimizer: after at least one step.
        lr: the global learning rate; None is the largest of the groups.

    Returns:
        Parameter name -> its entries of D P⁻¹, of its shape.

    Raises:
        ValueError: the optimizer is of another type (subclasses included, for they may update
            otherwise), maximizes, has taken no step, or P has entries that are zero or not
            finite; and as `relative_rates`.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Linear(1, 1, bias=False)
        >>> adam = torch.optim.Adam(model.parameters(), lr=0.1)
        >>> model(torch.full((1, 1), 2.0)).sum().backward()
        >>> adam.step()
        >>> round(preconditioner(model, adam)["weight"].item(), 4)  # 1/((1 - 0.9) 2)
        5.0
    """
    if type(optimizer) not in (torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
        raise ValueError(f"no preconditioner is known of {type(optimizer).__name__}; {_REMEDY}")
    for group in optimizer.param_groups:
        if group["maximize"]:
            raise ValueError(
                "optimizer maximizes; minimize the negative loss to speak of its sharpness"
            )
    rates = relative_rates(model, optimizer.param_groups, lr=lr)
    parameters = {name: p for name, p in model.named_parameters() if name in rates}
    found = divisors(parameters, optimizer)
    if not found:
        raise ValueError("optimizer has no state yet; take a step before asking for its P")
    for name, divided in found.items():
        if not bool((torch.isfinite(divided) & (divided > 0)).all()):
            raise ValueError(
                f"the optimizer's P of {name!r} has entries that are zero or not finite; use "
                "eps > 0, and look for NaN gradients"
            )
    return scale_of_divisors(parameters, found, rates)


def divisors(
    parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Return P of every parameter that Adam, AdamW or RMSprop has moved, by name, unchecked."""
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    return {
        name: divisor(groups[id(parameter)], state).to(parameter)
        for name, parameter in parameters.items()
        if (state := optimizer.state.get(parameter))
    }


def scale_of_divisors(
    parameters: Mapping[str, nn.Parameter],
    divided: Mapping[str, Tensor],
    rates: Mapping[str, float],
) -> dict[str, Tensor]:
    """Return D P⁻¹ by name, with zeros for a parameter that was never moved.

    Args:
        parameters: By name.
        divided: P of those that were moved, see `divisors`.
        rates: D of each.
    """
    return {
        name: rates[name] / divided[name]
        if name in divided
        else torch.zeros_like(parameter, requires_grad=False)
        for name, parameter in parameters.items()
    }


def divisor(group: Mapping[str, Any], state: Mapping[str, Any]) -> Tensor:
    """Return P of one parameter, in the precision of its state (see `preconditioner`).

    Args:
        group: the parameter's group in Adam, AdamW or RMSprop.
        state: what that optimizer keeps of the parameter, after at least one step.
    """
    if "betas" not in group:
        square = state["square_avg"]
        if group["centered"]:
            square = square - state["grad_avg"].square()
        root: Tensor = square.sqrt() + group["eps"]
        return root
    first, second = (float(beta) for beta in group["betas"])
    step = float(state["step"])
    square = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
    adaptive: Tensor = (square / (1 - second**step)).sqrt() + group["eps"]
    corrected: Tensor = (1 - first**step) * adaptive
    return corrected
