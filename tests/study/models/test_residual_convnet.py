"""The residual convolutional network against the recursion written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lrtransfer.study.models.residual_convnet import ResidualConvNet
from tests.study.models.cases import fill


def net(**changes: Any) -> ResidualConvNet:
    sizes = {"in_features": 3072, "out_features": 10, "width": 4, "channels": 3, "image_size": 32}
    model = ResidualConvNet(**(sizes | changes))
    fill(model)
    return model


@pytest.mark.parametrize("skip", [0.0, 1.0])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_stage_is_a_convolution_its_branches_and_a_pool(skip: float, layers: int) -> None:
    model = net(depth=6, skip=skip, layers_per_branch=layers)
    x = torch.randn(2, 3072, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hidden = x.view(2, 3, 32, 32)
    for stage, opening in enumerate(["embed", "transitions.0", "transitions.1"]):
        stride = 2 if stage == 0 else 1
        hidden = F.conv2d(hidden, model.get_parameter(f"{opening}.weight"), None, stride, 1)
        for branch in (2 * stage, 2 * stage + 1):
            inner = hidden
            for layer in range(layers):
                weight = model.get_parameter(f"branches.{branch}.{2 * layer + 1}.weight")
                inner = F.conv2d(inner.clamp(min=0), weight, padding=1)
            hidden = skip * hidden + inner
        hidden = F.max_pool2d(hidden, 2)
    expected = hidden.flatten(1) @ model.readout.weight.T
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("depth", "layers", "norm"), [(3, 1, 0), (6, 2, 0), (3, 2, 1)])
def test_the_number_of_parameters_is_that_of_the_maps(depth: int, layers: int, norm: int) -> None:
    n, kind = 4, ("none", "batch")[norm]
    expected = 9 * 3 * n + (2 + depth * layers) * 9 * n * n + depth * layers * 2 * n * norm
    model = net(depth=depth, layers_per_branch=layers, norm=kind)
    assert sum(p.numel() for p in model.parameters()) == expected + 4 * n * 10


def test_depth_layers_stride_and_image_are_checked() -> None:
    for depth in (0, 4):
        with pytest.raises(ValueError, match=f"depth is {depth}. Give a positive multiple of 3"):
            net(depth=depth)
    with pytest.raises(ValueError, match="layers_per_branch is 0"):
        net(layers_per_branch=0)
    with pytest.raises(ValueError, match="stride is 0"):
        net(stride=0)
    with pytest.raises(ValueError, match="image_size is 8, too small"):
        net(image_size=8, in_features=192)
    with pytest.raises(ValueError, match="does not divide 4 channels"):
        net(norm="group", groups=3)


def test_the_stages_openings_are_input_and_hidden() -> None:
    roles = net(norm="batch").roles().tensors
    assert roles["embed.weight"] == "input"
    assert roles["transitions.1.weight"] == roles["branches.2.1.weight"] == "hidden"
    assert roles["branches.2.2.gain.weight"] == "norm_gain"
    assert roles["branches.2.2.bias.weight"] == "bias"
