"""A parameterization's exponents, evaluated for one tensor of one network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUANTITIES = ("init", "multiplier", "learning_rate", "weight_decay", "epsilon")


@dataclass(frozen=True)
class Constants:
    """The width- and depth-free constants: γ = γ₀·√(N/N₀), branches scale with (L/L₀)^-α."""

    branch_exponent: float = 0.0
    gamma0: float = 1.0
    base_width: int = 1
    base_depth: int = 1


@dataclass(frozen=True)
class Shape:
    """What the exponents apply to.

    Attributes:
        fan_in: Inputs of each of the tensor's outputs: 1 for what is looked up or added (an
            embedding, a position, a bias, a gain), d for the attention logits of a head.
        width: N of the network.
        depth: L of the network, its number of residual branches.
        fan_out: Outputs of each of the tensor's inputs.
        in_branch: Whether the tensor lies in a residual branch.
    """

    fan_in: int
    width: int
    depth: int
    fan_out: int = 1
    in_branch: bool = False


@dataclass(frozen=True)
class Scaled:
    """One tensor's numbers.

    Attributes:
        init: Standard deviation of the initial entries.
        multiplier: Factor m on the tensor where it enters the network.
        learning_rate: Over the global one.
        weight_decay: λ over the global one; a step shrinks the tensor by the product of its
            learning rate and its weight decay.
        epsilon: The ε of Adam's and RMSProp's denominators, over the global one.
        mean: Mean of the initial entries.
    """

    init: float
    multiplier: float
    learning_rate: float
    weight_decay: float = 1.0
    epsilon: float = 1.0
    mean: float = 0.0


def scale(rule: Mapping[str, Any], shape: Shape, constants: Constants) -> Scaled:
    """Return the numbers that `rule` gives a tensor of this shape.

    Args:
        rule: Each of `QUANTITIES` with `factor` and the exponents of the table file, and
            `mean`. What is left out is one, or the exponent zero, or the mean zero.
        shape: The tensor's and the network's sizes.
        constants: The parameterization's constants.

    Example:
        >>> from lrtransfer.scaling.rules import Constants, Shape, scale
        >>> rule = {"init": {"fan_in": {"constant": -0.5}}}
        >>> scale(rule, Shape(fan_in=16, width=16, depth=1), Constants()).init
        0.25
    """
    return Scaled(
        **{name: _power(rule.get(name, {}), shape, constants) for name in QUANTITIES},
        mean=float(rule.get("mean", 0.0)),
    )


def _power(power: Mapping[str, Any], shape: Shape, constants: Constants) -> float:
    depth = shape.depth / constants.base_depth
    bases = {
        "fan_in": float(shape.fan_in),
        "fan_out": float(shape.fan_out),
        "width": shape.width / constants.base_width,
        "depth": depth,
        "branch_depth": depth if shape.in_branch else 1.0,
        "gamma0": constants.gamma0,
    }
    value = float(power.get("factor", 1.0))
    for name, base in bases.items():
        exponent = power.get(name, {})
        constant, alpha = exponent.get("constant", 0.0), exponent.get("alpha", 0.0)
        value *= base ** (constant + alpha * constants.branch_exponent)
    return value
