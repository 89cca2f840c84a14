"""Norms against torch's own with gain and bias inside, and against their formulas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtransfer.study.models.norms import Norm, image_norm, layer_norm, rms_norm
from tests.study.models.cases import fill


def tokens() -> torch.Tensor:
    return torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("bias", [False, True])
def test_layer_norm_is_torch_s_with_the_same_gain_and_bias(bias: bool) -> None:
    norm, theirs = layer_norm(6, bias=bias), nn.LayerNorm(6, bias=bias).double()
    fill(norm)
    with torch.no_grad():
        theirs.weight.copy_(norm.gain.weight)
        if norm.bias is not None:
            theirs.bias.copy_(norm.bias.weight)
    torch.testing.assert_close(norm(tokens()), theirs(tokens()), rtol=1e-12, atol=1e-12)


def test_rms_norm_divides_by_the_root_mean_square() -> None:
    norm, x = rms_norm(6), tokens()
    fill(norm)
    expected = norm.gain.weight * x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["batch", "layer", "group"])
def test_image_norms_are_their_formulas(kind: str) -> None:
    x = torch.randn(5, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    norm = image_norm(kind, 4, groups=2)
    assert isinstance(norm, Norm)
    fill(norm)
    if kind == "group":
        split = x.view(5, 2, 2, 3, 3)
        mean = split.mean((2, 3, 4), keepdim=True)
        var = split.var((2, 3, 4), keepdim=True, unbiased=False)
        normal = ((split - mean) / (var + 1e-5).sqrt()).view_as(x)
    else:
        axes = {"batch": (0, 2, 3), "layer": (1,)}[kind]
        var = x.var(axes, keepdim=True, unbiased=False)
        normal = (x - x.mean(axes, keepdim=True)) / (var + 1e-5).sqrt()
    assert norm.bias is not None
    expected = normal * norm.gain.weight + norm.bias.weight
    torch.testing.assert_close(norm(x), expected, rtol=1e-10, atol=1e-10)


def test_a_new_norm_has_gains_one_and_biases_zero() -> None:
    norm = layer_norm(6, bias=True)
    assert norm.bias is not None
    assert torch.equal(norm.gain.weight, torch.ones(6))
    assert torch.equal(norm.bias.weight, torch.zeros(6))


def test_no_norm_leaves_the_images() -> None:
    x = torch.ones(1, 4, 2, 2)
    assert image_norm("none", 4, groups=3)(x) is x


def test_groups_that_do_not_divide_and_unknown_norms_are_refused() -> None:
    with pytest.raises(ValueError, match="groups is 3, which does not divide 4 channels"):
        image_norm("group", 4, groups=3)
    with pytest.raises(ValueError, match="norm is 'instance'"):
        image_norm("instance", 4, groups=1)
