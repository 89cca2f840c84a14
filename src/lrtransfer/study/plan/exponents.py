"""A parameterization as data: optimizer family -> tensor role -> exponents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from lrtransfer.study.plan.values import Name, Section, Text


class AffineExponent(Section):
    """An exponent constant + alpha·α, with α the branch exponent of the experiment."""

    constant: float = 0.0
    alpha: float = 0.0


def _affine(value: Any) -> Any:
    return {"constant": value} if isinstance(value, (int, float)) else value


Exponent = Annotated[
    AffineExponent, BeforeValidator(_affine, json_schema_input_type=float | AffineExponent)
]


class Power(Section):
    """factor · fan_in^a · fan_out^b · (N/N₀)^c · (L/L₀)^d · γ₀^e.

    `branch_depth` is L/L₀ for tensors inside a residual branch and 1 for the others.
    """

    factor: float = 1.0
    fan_in: Exponent = AffineExponent()
    fan_out: Exponent = AffineExponent()
    width: Exponent = AffineExponent()
    depth: Exponent = AffineExponent()
    branch_depth: Exponent = AffineExponent()
    gamma0: Exponent = AffineExponent()


class TensorRule(Section):
    """How one role scales.

    `init` is the standard deviation of the initial entries around `mean`; learning rate,
    weight decay and epsilon are over the optimizer's global ones.
    """

    mean: float = 0.0
    init: Power = Power()
    multiplier: Power = Power()
    learning_rate: Power = Power()
    weight_decay: Power = Power()
    epsilon: Power = Power()


Column = Literal["sgd", "adam", "muon", "shampoo", "soap", "fixed_norm"]


class ParameterizationSpec(Section):
    """A parameterization as data: optimizer family -> tensor role -> exponents."""

    description: Text
    source: Text
    families: Annotated[dict[Column, dict[Name, TensorRule]], Field(min_length=1)]
