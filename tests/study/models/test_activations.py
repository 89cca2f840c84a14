"""Activations by name."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.models.activations import activation

FORMULAS = {
    "relu": lambda z: z.clamp(min=0),
    "tanh": torch.tanh,
    "gelu": lambda z: z * 0.5 * (1 + torch.erf(z / 2**0.5)),
    "silu": lambda z: z / (1 + torch.exp(-z)),
    "linear": lambda z: z,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_is_its_formula(name: str) -> None:
    z = torch.linspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(activation(name)(z), FORMULAS[name](z), rtol=1e-14, atol=1e-14)  # type: ignore[no-untyped-call]


def test_an_unknown_activation_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"activation is 'swish'\. Give one of relu, tanh"):
        activation("swish")
