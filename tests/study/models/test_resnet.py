"""ResNets against the published sizes and one block written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from lrtransfer.study.models.resnet import ResNet
from tests.study.models.cases import fill


def net(**changes: Any) -> ResNet:
    sizes = {"in_features": 192, "out_features": 10, "width": 2, "channels": 3, "image_size": 8}
    model = ResNet(**(sizes | changes))
    fill(model)
    return model


@pytest.mark.parametrize(
    ("variant", "depth", "published"),
    [(18, 8, 11_689_512), (34, 16, 21_797_672), (50, 16, 25_557_032)],
)
def test_at_its_sizes_it_is_the_published_net_without_the_readout_s_bias(
    variant: int, depth: int, published: int
) -> None:
    with torch.device("meta"):
        model = ResNet(
            in_features=3 * 224**2, out_features=1000, width=64, depth=depth,
            variant=variant, image_size=224, stem="imagenet", norm="batch",  # type: ignore[arg-type]
        )  # fmt: skip
        assert model(torch.empty(2, 3, 224, 224)).shape == (2, 1000)
    assert sum(p.numel() for p in model.parameters()) == published - 1000


def test_the_layers_are_those_of_resnet_18() -> None:
    model = net(activation="tanh")
    w = dict(model.named_parameters())
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hidden = F.conv2d(x, w["embed.weight"], padding=1).tanh()
    for i in range(8):
        stride = 2 if i in (2, 4, 6) else 1
        inner = F.conv2d(hidden, w[f"branches.{i}.0.weight"], None, stride, 1).tanh()
        inner = F.conv2d(inner, w[f"branches.{i}.3.weight"], padding=1)
        if stride == 2:
            hidden = F.conv2d(hidden, w[f"shortcuts.{i}.0.weight"], None, 2)
        hidden = (hidden + inner).tanh()
    expected = hidden.mean((2, 3)) @ w["readout.weight"].T
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)


def test_the_stems_keep_or_quarter_the_image() -> None:
    seen = []
    for stem in ("cifar", "imagenet"):
        model = net(stem=stem)
        model.branches[0].register_forward_hook(lambda _, x, __: seen.append(x[0].shape[-1]))
        model(torch.zeros(1, 192, dtype=torch.float64))
    assert seen == [8, 2]


def test_a_multiple_of_the_depth_multiplies_the_blocks_of_every_stage() -> None:
    deep = net(depth=16)
    assert len(deep.branches) == 16
    channels = [deep.get_parameter(f"branches.{i}.3.weight").shape[0] for i in range(16)]
    assert channels == [2] * 4 + [4] * 4 + [8] * 4 + [16] * 4


def test_depth_variant_stem_and_groups_are_checked() -> None:
    with pytest.raises(ValueError, match="depth is 12, but ResNet-18 has 8 residual branches"):
        net(depth=12)
    with pytest.raises(ValueError, match=r"variant is 101\. Give 18, 34 or 50"):
        net(variant=101)
    with pytest.raises(ValueError, match="stem is 'patch'"):
        net(stem="patch")
    with pytest.raises(ValueError, match="groups is 32, which does not divide 2 channels"):
        net(norm="group")
