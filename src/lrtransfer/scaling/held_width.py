"""Families whose optimizer holds the width: a rule of the width beside it would count twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Muon's factor is made of the fans, and a matrix of fixed norm moves by a share of it.
_HOLDING = {"muon": "the factor of Muon", "fixed_norm": "a fixed norm"}
_WIDE = ("fan_in", "fan_out", "width", "gamma0")


def twice(rules: Mapping[str, Any], column: str) -> str | None:
    """Return what is wrong where the rule of hidden matrices scales what its optimizer holds.

    Args:
        rules: Role -> exponents of the column, as `rules.scale` takes them.
        column: Family of optimizers that the rules are for.

    Example:
        >>> from lrtransfer.scaling.held_width import twice
        >>> twice({"hidden": {"learning_rate": {"width": {"constant": -1.0}}}}, "muon")[:47]
        'the learning rate of hidden goes as width^-1, w'
        >>> twice({"hidden": {"learning_rate": {"width": {"constant": -1.0}}}}, "adam")
    """
    if column not in _HOLDING or "hidden" not in rules:
        return None
    for base in _WIDE:
        power = sum(_exponent(rules["hidden"], q, base) for q in ("learning_rate", "multiplier"))
        if power:
            return (
                f"the learning rate of hidden goes as {base}^{power:g}, which {_HOLDING[column]} "
                "holds already: the product would count the width twice. Leave it out of the "
                f"family {column}."
            )
    return None


def _exponent(rule: Mapping[str, Any], quantity: str, base: str) -> float:
    constant: float = rule.get(quantity, {}).get(base, {}).get("constant", 0.0)
    return constant
