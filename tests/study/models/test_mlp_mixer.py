"""The MLP-Mixer against its formula and the size of Mixer-B/16."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrtransfer.study.models.images import as_patches
from lrtransfer.study.models.mlp_mixer import MLPMixer
from tests.study.models.cases import fill


def net(**changes: Any) -> MLPMixer:
    sizes: dict[str, Any] = {
        "in_features": 32,
        "out_features": 3,
        "width": 8,
        "channels": 2,
        "image_size": 4,
    }
    model = MLPMixer(**(sizes | {"patch": 2, "token_hidden": 5, "activation": "tanh"} | changes))
    fill(model)
    return model


def test_it_mixes_tokens_and_channels_in_turn() -> None:
    model = net(depth=2)
    w = dict(model.named_parameters())
    x = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hidden = as_patches(x, 2) @ w["embed.weight"].T
    tokens, channels = (
        [w[f"branches.{name}.{part}.weight"] for part in ("expand", "contract")]
        for name in ("0.1.mix", "1.1")
    )
    normed = model.branches[0][0](hidden)  # type: ignore[index]
    inner = torch.einsum("st,ntc->nsc", tokens[0], normed).tanh()
    hidden = hidden + torch.einsum("ts,nsc->ntc", tokens[1], inner)
    normed = model.branches[1][0](hidden)  # type: ignore[index]
    hidden = hidden + (normed @ channels[0].T).tanh() @ channels[1].T
    expected = model.final_norm(hidden).mean(1) @ w["readout.weight"].T
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)


def test_at_its_sizes_it_is_mixer_b_16_without_the_readout_s_bias() -> None:
    with torch.device("meta"):
        model = MLPMixer(
            in_features=3 * 224**2, out_features=1000, width=768, depth=24, channels=3,
            image_size=224, patch=16, token_hidden=384, bias=True,
        )  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == 59_880_472 - 1000


def test_the_number_of_parameters_without_biases() -> None:
    n, patches, hidden = 8, 4, 5
    expected = 8 * n + 2 * (2 * patches * hidden + 2 * 3 * n * n) + 5 * n + 3 * n
    assert sum(p.numel() for p in net(mlp_ratio=3).parameters()) == expected


def test_token_mixing_has_the_role_of_tensors_without_width() -> None:
    narrow, wide = net(bias=True), net(bias=True, width=16)
    roles, sizes = narrow.roles().tensors, dict(narrow.named_parameters())
    scalar = {n for n, role in roles.items() if role in {"scalar", "scalar_bias"}}
    same = {n for n, p in wide.named_parameters() if p.shape == sizes[n].shape}
    assert scalar == same
    assert {roles[n] == "scalar_bias" for n in same if sizes[n].ndim == 1} == {True}
    assert {roles[n] == "scalar" for n in same if sizes[n].ndim == 2} == {True}


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="token_hidden is 0"):
        net(token_hidden=0)
    with pytest.raises(ValueError, match="mlp_ratio is 0"):
        net(mlp_ratio=0)
    with pytest.raises(ValueError, match="patch is 3, which does not divide"):
        net(patch=3)
