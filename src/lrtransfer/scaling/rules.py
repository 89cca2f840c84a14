"""A parameterization's exponents, evaluated for one tensor of one network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Constants:
    """The width- and depth-free constants: γ = γ₀·√(N/N₀), branches scale with (L/L₀)^-α."""

    branch_exponent: float = 0.0
    gamma0: float = 1.0
    base_width: int = 1
    base_depth: int = 1


@dataclass(frozen=True)
class Shape:
    """What the exponents apply to: the tensor's fan-in, the network's width N and depth L."""

    fan_in: int
    width: int
    depth: int


@dataclass(frozen=True)
class Scaled:
    """One tensor's numbers: initial standard deviation, forward multiplier, relative rate."""

    init: float
    multiplier: float
    learning_rate: float


def scale(rule: Mapping[str, Any], shape: Shape, constants: Constants) -> Scaled:
    """Return the numbers that ``rule`` gives a tensor of this shape.

    Args:
        rule: ``init``, ``multiplier`` and ``learning_rate``, each with ``factor`` and the
            exponents ``fan_in``, ``width``, ``depth`` and ``gamma0`` (form of the table file).
            What is left out is one, or the exponent zero.
        shape: The tensor's and the network's sizes.
        constants: The parameterization's constants.
    """
    return Scaled(
        **{
            quantity: _power(rule.get(quantity, {}), shape, constants)
            for quantity in ("init", "multiplier", "learning_rate")
        }
    )


def _power(power: Mapping[str, Any], shape: Shape, constants: Constants) -> float:
    bases = {
        "fan_in": float(shape.fan_in),
        "width": shape.width / constants.base_width,
        "depth": shape.depth / constants.base_depth,
        "gamma0": constants.gamma0,
    }
    value = float(power.get("factor", 1.0))
    for name, base in bases.items():
        exponent = power.get(name, {})
        constant, alpha = exponent.get("constant", 0.0), exponent.get("alpha", 0.0)
        value *= base ** (constant + alpha * constants.branch_exponent)
    return value
