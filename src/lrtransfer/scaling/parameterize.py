"""Parameterize an outsider's own network: weights, rates, and the few multipliers that must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.scaling import table
from lrtransfer.scaling.attention import Attention, resolve_attention
from lrtransfer.scaling.branches import resolve_branches
from lrtransfer.scaling.groups import (
    FAMILIES,
    OF_MATRICES,
    Group,
    Settings,
    build_groups,
    check_settings,
    column,
    optimizer_name,
)
from lrtransfer.scaling.hooks import effective, register, remove_multipliers
from lrtransfer.scaling.matrix_optimizer import MatrixOptimizer
from lrtransfer.scaling.names import expand_keys
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.roles_and_width import check_tensors, roles_and_width
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.undo import undone_on_error
from lrtransfer.scaling.uses import Scaler, absorbed_numbers

Patterns = str | Iterable[str]


def parameterize(
    model: nn.Module,
    parameterization: str | Mapping[str, Any],
    *,
    optimizer: str | type[torch.optim.Optimizer] | MatrixOptimizer,
    lr: float,
    weight_decay: float = 0.0,
    eps: float = 1e-8,
    base: nn.Module | None = None,
    delta: nn.Module | None = None,
    roles: Roles | Mapping[str, str] | None = None,
    fans: Mapping[str, tuple[int, int]] | None = None,
    width: int | None = None,
    base_width: int | None = None,
    branches: Patterns | None = None,
    inside: Patterns | None = None,
    attention: Attention | None = None,
    depth: int | None = None,
    base_depth: int | None = None,
    branch_exponent: float | None = None,
    gamma0: float = 1.0,
    initialise: bool = True,
    seed: int | None = None,
    generator: torch.Generator | None = None,
) -> list[Group]:
    """Initialise and scale `model`, and return the parameter groups of its optimizer.

    The network takes the equivalent form (abc-symmetry, Yang and Hu 2021, 2011.14522) in which no
    tensor has a multiplier: it is absorbed into the initial weights, the learning rate, the weight
    decay and ε. Forward hooks remain for the branches and the attention logits, whose multipliers
    no tensor can take, and for a weight that an embedding and a readout share. They are picklable,
    add no key to the `state_dict` and hold in `torch.func.functional_call`.

    A shared weight follows the rule of the embedding, and the input of the readout is multiplied
    so that the readout starts at the size of an untied one. It counts as shared if both modules
    hold it; a use inside a `forward` cannot be seen.

    Build the model, parameterize it, then move, wrap or compile it. A second call starts over: it
    removes the multipliers of the first and, with `initialise`, draws the weights anew. Nothing
    is changed if the call raises or is interrupted; the former weights are kept on the host
    meanwhile.

    A multiplier acts when its module is called. The first pass of the model that has a graph
    raises if a module with a multiplier was used without being called (`first_pass.py` tells what
    it cannot see).

    Patterns name modules or parameters as `named_modules` and `named_parameters` do; a `*`
    stands for one part between dots.

    Args:
        model: Any module; its parameters may have any floating-point dtype and any device but
            `meta`. Frozen ones are initialised too (a frozen random layer needs the size of its
            role) and are in no group.
        parameterization: A name in `parameterizations.yaml`, or an entry of your own in its form:
            `{"families": {"adam": {"hidden": {"init": {"fan_in": -0.5}, …}, …}}}`.
        optimizer: `sgd`, `momentum`, `adam`, `adamw`, `rmsprop`, or torch's class; `lion`, `adopt`;
            or one of hidden matrices, `muon`, `shampoo`, `soap`, `muonh`, `adamh`, with AdamW for
            the rest, as a name or a `MatrixOptimizer`.
        lr: The global learning rate.
        weight_decay: The global λ; a step shrinks a tensor by its own rate times its own λ.
        eps: The global ε of Adam's and RMSProp's denominators.
        base: A fresh instance of another width, with the same depth and names, on any device,
            `meta` too. It tells the roles, and its width is N₀.
        delta: A fresh instance whose width is not that of `base`; it tells the roles in place of
            `model`, which may then have the width N₀ itself.
        roles: Pattern of parameters -> role, before what `base` tells; or a model's `Roles`.
        fans: Pattern of parameters -> (fan-in, fan-out), for matrices of modules of your own.
        width: N; needed without `base`.
        base_width: N₀; 1 without `base`.
        branches: Patterns of the modules whose output is added to a residual stream.
        inside: Patterns of further modules or parameters that lie in a branch, such as pre-norms.
        attention: Where attention logits are multiplied: pattern of modules that return logits,
            queries or keys -> head dimension d, or (d, slice) if these are part of the last axis
            of the output; or a list of patterns of `nn.MultiheadAttention`.
        depth: L; the number of `branches` if left out.
        base_depth: L₀, needed where the depth counts.
        branch_exponent: α: branches are multiplied by (L/L₀)^-α.
        gamma0: γ₀, the output scale.
        initialise: Draw the weights from N(mean, init²) of each role, in the order of
            `named_parameters`; False leaves them, for weights in the absorbed form already.
        seed: Seed of the weights, the same on every host.
        generator: Source of the weights in place of `seed`; torch's own without either.

    Returns:
        Groups for an optimizer of the family, one for each role and set of equal numbers:
        `params`, `names`, `role`, `optimizer`, `lr`, `weight_decay`, `eps` (Adam's family), and
        the last three over the global ones as `relative_rate`, `relative_weight_decay`,
        `relative_epsilon`. A scheduler has to multiply their rates, not overwrite them.

    Raises:
        UnplacedTensorError: Tensors whose role cannot be told.
        UnknownRoleError: The parameterization lacks a role.
        ValueError: An argument is missing or does not fit; the message names it.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> import lrtransfer as lt
        >>> def mlp(width: int) -> nn.Module:
        ...     return nn.Sequential(
        ...         nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width), nn.Linear(width, 2)
        ...     )
        >>> model, base = mlp(256), mlp(64)
        >>> groups = lt.parameterize(model, "mup", base=base, optimizer="adamw", lr=1e-3, seed=0)
        >>> optimizer = torch.optim.AdamW(groups)
        >>> {group["role"]: group["relative_rate"] for group in groups}
        {'input': 0.5, 'bias': 1.0, 'hidden': 0.03125, 'output': 0.03125, 'scalar_bias': 1.0}
    """
    chosen = optimizer if isinstance(optimizer, MatrixOptimizer) else None
    name = chosen.name if chosen else optimizer_name(optimizer)  # type: ignore[arg-type]
    if name in OF_MATRICES:
        chosen = chosen or MatrixOptimizer(name)
    family, settings = FAMILIES[name], Settings(lr, weight_decay, eps)
    check_settings(settings, name)
    check_tensors(model)
    rules = table.rules(parameterization, column(name))
    if isinstance(roles, Roles):
        branches = roles.branches if branches is None else branches
        attention = roles.attention_logits if attention is None else attention
        roles = roles.tensors
    tensors = [n for n, _ in model.named_parameters(remove_duplicate=False)]
    told = expand_keys(roles or {}, tensors, "roles")
    placed, sizes = roles_and_width(model, base, delta, told, (width, base_width))
    residual = resolve_branches(
        model,
        rules,
        branches=_listed(branches),
        inside=_listed(inside),
        depth=depth,
        base_depth=base_depth,
        exponent=branch_exponent,
    )
    constants = Constants(residual.exponent, _gamma0(rules, gamma0), sizes[1], residual.base_depth)
    scaler = Scaler(rules, constants, residual, sizes[0], family)
    told_fans = expand_keys(fans or {}, tensors, "fans")
    numbers = absorbed_numbers(model, scaler, placed, told_fans)
    logits = resolve_attention(model, rules, attention, branch_exponent=residual.exponent)
    planned = [
        *numbers.tied,
        *residual.multipliers(rules, constants, width=sizes[0]),
        *(
            site.multiplier(rules, constants, width=sizes[0], depth=residual.depth)
            for site in logits
        ),
    ]
    groups = build_groups(model, numbers.scaled, numbers.roles, settings, family)
    for group in groups:
        group["optimizer"] = name
    if chosen:
        groups = chosen.divide(groups, model, lr=lr, told_fans=told_fans)
    multipliers = effective(model, planned)
    source = _generator(seed, generator)
    with undone_on_error(model, source, weights=initialise):
        drawn = _draw(model, numbers.scaled, source) if initialise else {}
        _overwrite(model, drawn)
        remove_multipliers(model)
        register(model, multipliers)
        return groups


def _gamma0(rules: table.Rules, gamma0: float) -> float:
    if not gamma0 > 0:
        raise ValueError(f"gamma0 is {gamma0}. Give a positive number.")
    if gamma0 != 1.0 and not table.depends(rules.values(), "gamma0", 0.0):
        raise ValueError(
            f"gamma0 is {gamma0}, but no exponent of the parameterization depends on it. "
            "Leave it out."
        )
    return gamma0


def _listed(patterns: Patterns | None) -> list[str] | None:
    if patterns is None:
        return None
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _generator(seed: int | None, generator: torch.Generator | None) -> torch.Generator | None:
    if seed is None:
        return generator
    if generator is not None:
        raise ValueError("seed and generator are both told. Give one of them.")
    return torch.Generator().manual_seed(seed)


def _draw(
    model: nn.Module, scaled: Mapping[str, Scaled], generator: torch.Generator | None
) -> dict[str, Tensor]:
    device = "cpu" if generator is None else generator.device
    drawn = {}
    for name, parameter in model.named_parameters():
        # As in apply: drawn in float64, so that a seed means the same weights in every dtype.
        normal = torch.randn(
            parameter.shape, generator=generator, dtype=torch.float64, device=device
        )
        drawn[name] = (normal * scaled[name].init + scaled[name].mean).to(parameter.dtype)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for module in model.modules():
        padding = getattr(module, "padding_idx", None)
        if isinstance(module, nn.Embedding) and padding is not None and id(module.weight) in names:
            drawn[names[id(module.weight)]][padding] = 0.0
    return drawn


def _overwrite(model: nn.Module, drawn: Mapping[str, Tensor]) -> None:
    # detach() and no no_grad(), which an interrupt at its end would leave on.
    for name, parameter in model.named_parameters():
        if name in drawn:
            parameter.detach().copy_(drawn[name])
