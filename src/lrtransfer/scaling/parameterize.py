"""Parameterize an outsider's own network: weights, rates, and the few multipliers that must be."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.scaling import table
from lrtransfer.scaling.affine import take_in
from lrtransfer.scaling.attention import multiplier, resolve_attention
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
from lrtransfer.scaling.layout import Layout, listed
from lrtransfer.scaling.layouts import Known, read_layouts
from lrtransfer.scaling.matrix_optimizer import MatrixOptimizer
from lrtransfer.scaling.names import expand, expand_keys
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.roles_and_width import Base, check_tensors, roles_and_width
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.scaling.symmetry import absorbed, family_of
from lrtransfer.scaling.undo import undone_on_error
from lrtransfer.scaling.uses import Numbers, Scaler, absorbed_numbers

# Gains, biases and scalars pull at no scale of the function that decay would keep in bounds.
_UNDECAYED = frozenset({"bias", "norm_gain", "scalar_bias", "scalar_gain"})


def parameterize(
    model: nn.Module,
    parameterization: str | Mapping[str, Any],
    *,
    optimizer: str | type[torch.optim.Optimizer] | MatrixOptimizer,
    lr: float,
    weight_decay: float = 0.0,
    eps: float = 1e-8,
    base: Base | None = None,
    layout: Layout | Roles | None = None,
    base_depth: int | None = None,
    branch_exponent: float | None = None,
    gamma0: float = 1.0,
    initialise: bool = True,
    seed: int | torch.Generator | None = None,
) -> list[Group]:
    """Initialise and scale `model`, and return the parameter groups of its optimizer.

    The network takes the equivalent form (abc-symmetry, Yang and Hu 2021, 2011.14522) in which no
    tensor has a multiplier: it is absorbed into the initial weights, the learning rate, the weight
    decay and ε. That of a branch goes into its last affine map, that of attention logits into the
    queries' map or gain, that of a readout whose weight is an embedding's into the norm before it.
    Forward hooks remain where queries share one tensor with keys and values, and where the last map
    or the norm is not known. They are picklable, add no key to the `state_dict` and hold in
    `torch.func.functional_call`; `lrtransfer.fold` puts them into the weights after training.

    A shared weight follows the rule of the embedding, and what enters the readout is multiplied
    so that the readout starts at the size of an untied one. It counts as shared if both modules
    hold it; a use inside a `forward` cannot be seen.

    Build the model, parameterize it, then move, wrap or compile it. A second call starts over: it
    removes the multipliers of the first and, with `initialise`, draws the weights anew; buffers
    (BatchNorm's statistics) stay. Nothing
    is changed if the call raises or is interrupted; the former weights are kept on the host
    meanwhile.

    A multiplier acts when its module is called. The first pass of the model that has a graph
    raises if a module with a multiplier was used without being called (`first_pass.py` tells what
    it cannot see).

    What modules of torch and models of transformers are is known (`layouts.yaml`): which axes of
    their tensors are inputs, where attention logits are multiplied, what lies in a residual branch.
    What is not known is an error that names it with the line to write.

    Args:
        model: Any module; its parameters may have any floating-point dtype and any device but
            `meta`. Frozen ones are initialised too (a frozen random layer needs the size of its
            role) and are in no group.
        parameterization: A name in `parameterizations.yaml`, or an entry of your own in its form:
            `{"families": {"adam": {"hidden": {"init": {"fan_in": -0.5}, …}, …}}}`.
        optimizer: `sgd`, `momentum`, `adam`, `adamw`, `rmsprop`, or torch's class; `lion`, `adopt`;
            or one of hidden matrices, `muon`, `shampoo`, `soap`, `muonh`, `adamh`, with AdamW for
            the rest, as a name or a `MatrixOptimizer`.
        lr: The global learning rate. At the base's width every tensor has it under `sp` and
            `mup_table3`, `8` and `9`; the others count from width 1, and it is the rate of the
            form with multipliers.
        weight_decay: The global λ; a step shrinks a tensor by its own rate times its own λ. Gains,
            biases and scalars have none, nor has what the layouts say so of.
        eps: The global ε of Adam's and RMSProp's denominators.
        base: A fresh instance of another width, with the same depth and names, on any device,
            `meta` too. It tells the roles, and its width is N₀. It may have the model's own width:
            N/N₀ is 1 then, which asks for no roles under most parameterizations; under others give
            a pair of it and a fresh instance of another width.
        layout: What is told of the model where `base` and the known layouts do not tell it; or
            a model's `Roles`.
        base_depth: L₀, needed where the depth counts.
        branch_exponent: α: branches are multiplied by (L/L₀)^-α.
        gamma0: γ₀, the output scale.
        initialise: Draw the weights from N(mean, init²) of each role, in the order of
            `named_parameters`; False leaves them, for weights in the absorbed form already.
            Tensors whose initial values have a meaning (`Layout.kept`, a scalar of a module of
            your own) are drawn too, and left as they are.
        seed: Seed of the weights, the same on every host; or a generator to draw them from; torch's
            own without.

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
    told = Layout.of(layout)
    known = read_layouts(model, told.modules)
    tensors = [n for n, _ in model.named_parameters(remove_duplicate=False)]
    roles, (width, base_width) = roles_and_width(
        model, base, expand_keys(told.roles, tensors, "roles"), told.width, known.tensors
    )
    if chosen:
        _check_told(roles, name)
    residual = resolve_branches(
        model, rules, told, known, base_depth=base_depth, exponent=branch_exponent
    )
    constants = Constants(
        residual.exponent, _gamma0(rules, gamma0), base_width, residual.base_depth
    )
    scaler = Scaler(rules, constants, residual, width, column(name))
    fans = expand_keys(told.fans, tensors, "fans")
    numbers = absorbed_numbers(model, scaler, roles, fans, known.tensors)
    logits = resolve_attention(
        model, rules, told.attention, known.logits, branch_exponent=residual.exponent
    )
    planned = [
        *numbers.tied,
        *residual.multipliers(rules, constants, width=width),
        *(
            multiplier(model, site, rules, constants, width=width, depth=residual.depth)
            for site in logits
        ),
    ]
    scalars = _scalars(model, known)
    kept = {*expand(listed(told.kept), tensors, "kept"), *known.named("kept"), *scalars}
    taken = take_in(model, effective(model, planned), known.branches, known.norms, kept)
    undecayed = {*known.named("undecayed"), *scalars}
    scaled = _scaled(numbers, taken.factors, undecayed, column(name))
    groups = build_groups(model, scaled, numbers.roles, settings, family)
    for group in groups:
        group["optimizer"] = name
    if chosen:
        groups = chosen.divide(groups, model, known, lr=lr, fans=fans)
    source = seed
    if source is not None and not isinstance(source, torch.Generator):
        source = torch.Generator().manual_seed(operator.index(source))
    with undone_on_error(model, source, weights=initialise):
        drawn = _draw(model, scaled, source) if initialise else {}
        _overwrite(model, {n: values for n, values in drawn.items() if n not in kept})
        remove_multipliers(model)
        register(model, taken.kept)
        return groups


def _check_told(roles: Mapping[str, tuple[str, ...]], optimizer: str) -> None:
    """Check that each tensor has one role: which optimizer steps it depends on that."""
    unclear = [name for name, possible in roles.items() if len(possible) > 1]
    if unclear:
        raise ValueError(
            f"base has the width of the model, so that nothing tells whether {unclear[0]!r} is "
            f"hidden, and {optimizer!r} steps hidden matrices alone. Give "
            "base=(base, other), with another instance of another width."
        )


def _gamma0(rules: table.Rules, gamma0: float) -> float:
    if not gamma0 > 0:
        raise ValueError(f"gamma0 is {gamma0}. Give a positive number.")
    if gamma0 != 1.0 and not table.depends(rules.values(), "gamma0", 0.0):
        raise ValueError(
            f"gamma0 is {gamma0}, but no exponent of the parameterization depends on it. "
            "Leave it out."
        )
    return gamma0


def _scaled(
    numbers: Numbers, factors: Mapping[str, float], undecayed: Set[str], column: str
) -> dict[str, Scaled]:
    """Return the numbers with what tensors take in, and no decay where none shall be."""
    scaled = {}
    for name, own in numbers.scaled.items():
        family = family_of(column, numbers.roles[name])
        scaled[name] = absorbed(replace(own, multiplier=factors.get(name, 1.0)), family)
        if numbers.roles[name] in _UNDECAYED or name in undecayed:
            scaled[name] = replace(scaled[name], weight_decay=0.0)
    return scaled


def _scalars(model: nn.Module, known: Known) -> list[str]:
    """Return the tensors of one entry that no layout knows: their values mean something."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.numel() == 1 and name not in known.tensors
    ]


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
