"""Trained vectors and tables as submodules."""

from __future__ import annotations

import torch
from torch import nn

from lrtransfer.scaling.multiplier import multiply_output
from lrtransfer.study.models.affine import Affine, LearnedTensor, linear


def test_a_learned_tensor_returns_itself_with_its_multiplier() -> None:
    tensor = LearnedTensor(2, 3, mean=1.0)
    multiply_output(tensor, 0.25)
    assert torch.equal(tensor(), torch.full((2, 3), 0.25))


def test_a_learned_tensor_starts_with_the_moments_asked_for() -> None:
    torch.manual_seed(0)
    drawn = LearnedTensor(100, 100, mean=2.0, std=0.5)().double()
    assert abs(drawn.mean().item() - 2.0) < 0.02
    assert abs(drawn.std().item() - 0.5) < 0.02


def test_an_affine_map_adds_its_bias_and_multiplies_each_alone() -> None:
    layer = Affine(3, 2).double()
    with torch.no_grad():
        layer.bias.weight.copy_(torch.tensor([1.0, -2.0]))
    x = torch.randn(4, 3, dtype=torch.float64)
    expected = x @ layer.map.weight.T + layer.bias.weight
    torch.testing.assert_close(layer(x), expected)
    multiply_output(layer.bias, 3.0)
    torch.testing.assert_close(layer(x), expected + 2 * layer.bias.weight)


def test_a_linear_map_has_a_bias_only_where_asked() -> None:
    assert isinstance(linear(3, 2, bias=False), nn.Linear)
    assert [name for name, _ in linear(3, 2, bias=False).named_parameters()] == ["weight"]
    assert {n for n, _ in linear(3, 2, bias=True).named_parameters()} == {
        "map.weight",
        "bias.weight",
    }
