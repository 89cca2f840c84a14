"""The GPT-2-like model against its blocks, its causality and the size of GPT-2."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrtransfer.study.models.gpt import GPT
from tests.study.models.cases import fill

TOKENS = torch.tensor([[0, 2, 1, 1, 3], [4, 0, 0, 2, 1]])


def net(**changes: Any) -> GPT:
    sizes = {"in_features": 0, "out_features": 5, "width": 8, "heads": 2, "block_size": 6}
    model = GPT(**(sizes | changes))
    fill(model)
    return model


@pytest.mark.parametrize("position", ["pre", "post"])
def test_norms_stand_before_or_after_the_branches(position: str) -> None:
    model = net(norm_position=position, bias=True)
    hidden = model.embed.weight[TOKENS] + model.positions.weight[:5]
    if position == "pre":
        for norm, branch in model.branches:  # type: ignore[misc]
            hidden = hidden + branch(norm(hidden))  # type: ignore[has-type]
        hidden = model.final_norm(hidden)
    else:
        for norm, branch in zip(model.post_norms, model.branches, strict=True):
            hidden = norm(hidden + branch(hidden))
    expected = hidden @ model.readout.weight.T  # type: ignore[operator]
    torch.testing.assert_close(model(TOKENS), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("position", ["pre", "post"])
def test_outputs_do_not_depend_on_later_tokens(position: str) -> None:
    model, changed = net(norm_position=position), TOKENS.clone()
    changed[:, 3] = (changed[:, 3] + 1) % 5
    before, after = model(TOKENS), model(changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=1e-13, atol=1e-13)
    assert (before[:, 3:] - after[:, 3:]).abs().amax(-1).min() > 1e-6


def test_outputs_depend_on_earlier_tokens_and_on_the_position() -> None:
    model = net()
    swapped = TOKENS[:, [1, 0, 2, 3, 4]]
    assert not torch.allclose(model(TOKENS)[:, 4], model(swapped)[:, 4])
    repeated = model(torch.zeros(1, 2, dtype=torch.int64))[0]
    assert not torch.allclose(repeated[0], repeated[1])


def test_at_its_sizes_it_is_gpt_2_with_a_readout_of_its_own() -> None:
    with torch.device("meta"):
        model = GPT(
            in_features=0, out_features=50257, width=768, depth=24, heads=12,
            block_size=1024, bias=True,
        )  # fmt: skip
    assert sum(p.numel() for p in model.parameters()) == 124_439_808 + 50257 * 768


@pytest.mark.parametrize("position", ["pre", "post"])
def test_the_number_of_parameters_without_biases(position: str) -> None:
    n, depth = 8, 4
    norms = depth + (position == "pre")
    expected = (2 * 5 + 6) * n + depth // 2 * (4 + 2 * 3) * n * n + norms * n
    model = net(norm_position=position, mlp_ratio=3)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_roles_and_options_are_as_named() -> None:
    roles = net(bias=True).roles().tensors
    assert roles["embed.weight"] == "embedding"
    assert roles["positions.weight"] == "positional"
    assert roles["final_norm.gain.weight"] == "norm_gain"
    assert roles["branches.0.1.query.bias.weight"] == "bias"
    assert roles["branches.1.1.expand.map.weight"] == "hidden"
    with pytest.raises(ValueError, match="norm_position is 'both'"):
        net(norm_position="both")
    with pytest.raises(ValueError, match="heads is 3, which does not divide width 8"):
        net(heads=3)
    with pytest.raises(ValueError, match="more than block_size 6"):
        net()(torch.zeros(1, 7, dtype=torch.int64))
