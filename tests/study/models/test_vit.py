"""The vision transformer against its blocks and the size of ViT-B/16."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrtransfer.study.models.images import as_patches
from lrtransfer.study.models.vit import ViT
from tests.study.models.cases import fill


def net(**changes: Any) -> ViT:
    sizes = {"in_features": 32, "out_features": 3, "width": 8, "heads": 2, "channels": 2}
    model = ViT(**(sizes | {"image_size": 4, "patch": 2} | changes))
    fill(model)
    return model


@pytest.mark.parametrize("pool", ["class_token", "mean"])
def test_it_is_patches_positions_branches_and_a_readout(pool: str) -> None:
    model = net(pool=pool)
    x = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hidden = as_patches(x, 2) @ model.get_parameter("embed.weight").T
    if pool == "class_token":
        token = model.get_parameter("class_token.weight")
        hidden = torch.stack([torch.cat([token, sample]) for sample in hidden])
    hidden = hidden + model.positions.weight
    for norm, branch in model.branches:  # type: ignore[misc]
        hidden = hidden + branch(norm(hidden))  # type: ignore[has-type]
    hidden = model.final_norm(hidden)
    seen = hidden[:, 0] if pool == "class_token" else hidden.mean(1)
    expected = seen @ model.get_parameter("readout.weight").T
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)


def test_attention_sees_later_patches_too() -> None:
    model = net(pool="class_token")
    x = torch.ones(1, 2, 4, 4, dtype=torch.float64)
    later = x.clone()
    later[:, :, 3, 3] = 2.0
    assert not torch.allclose(model(x), model(later))


def test_at_its_sizes_it_is_vit_b_16_without_the_readout_s_bias() -> None:
    with torch.device("meta"):
        model = ViT(
            in_features=3 * 224**2, out_features=1000, width=768, depth=24, channels=3,
            image_size=224, patch=16, heads=12, bias=True,
        )  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == 86_567_656 - 1000


def test_the_number_of_parameters_without_biases() -> None:
    n = 8
    expected = 8 * n + 4 * n + 2 * (4 + 2 * 3) * n * n + 5 * n + 3 * n
    assert sum(p.numel() for p in net(pool="mean", mlp_ratio=3).parameters()) == expected


def test_roles_and_options_are_as_named() -> None:
    roles = net(bias=True).roles().tensors
    assert roles["embed.map.weight"] == "input"
    assert roles["embed.bias.weight"] == "bias"
    assert roles["class_token.weight"] == "embedding"
    assert roles["positions.weight"] == "positional"
    with pytest.raises(ValueError, match="pool is 'max'"):
        net(pool="max")
    with pytest.raises(ValueError, match="patch is 3, which does not divide image_size 4"):
        net(patch=3)
