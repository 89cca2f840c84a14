"""Plain convolutional networks against the layers written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lrtransfer.study.models.convnet import ConvNet
from tests.study.models.cases import fill


def net(**changes: Any) -> ConvNet:
    sizes = {"in_features": 3072, "out_features": 10, "width": 4, "channels": 3, "image_size": 32}
    model = ConvNet(**(sizes | changes))
    fill(model)
    return model


@pytest.mark.parametrize(("depth", "strides"), [(2, (2, 4)), (3, (2, 1, 1))])
def test_it_is_convolution_activation_pool_and_a_linear_readout(
    depth: int, strides: tuple[int, ...]
) -> None:
    model = net(depth=depth)
    x = torch.randn(2, 3072, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hidden = x.view(2, 3, 32, 32)
    for i, stride in enumerate(strides):
        weight = model.get_parameter(f"convolutions.{i}.weight")
        hidden = F.max_pool2d(F.conv2d(hidden, weight, None, stride, 1).clamp(min=0), 2)
    expected = hidden.flatten(1) @ model.readout.weight.T
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("depth", "pixels"), [(2, 1), (3, 4)])
def test_the_number_of_parameters_is_that_of_the_bias_free_maps(depth: int, pixels: int) -> None:
    n = 4
    expected = 9 * 3 * n + (depth - 1) * 9 * n * n + pixels * n * 10
    assert sum(p.numel() for p in net(depth=depth).parameters()) == expected


def test_the_default_image_is_one_of_mnist() -> None:
    assert ConvNet(in_features=784, out_features=10, width=3).readout.in_features == 3


def test_depth_and_image_are_checked() -> None:
    with pytest.raises(ValueError, match=r"depth is 4\. Give 2 or 3 convolutions\."):
        net(depth=4)
    with pytest.raises(ValueError, match="image_size is 8, too small"):
        net(image_size=8, in_features=192)
    with pytest.raises(ValueError, match="Set channels and image_size"):
        net(channels=1)


def test_the_first_convolution_is_the_input_and_there_is_no_branch() -> None:
    roles = net(depth=3).roles()
    assert roles.tensors == {
        "convolutions.0.weight": "input",
        "convolutions.1.weight": "hidden",
        "convolutions.2.weight": "hidden",
        "readout.weight": "output",
    }
    assert list(roles.branches) == []
