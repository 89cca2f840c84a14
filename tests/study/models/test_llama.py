"""The LLaMA-like model: its blocks, causality, relative positions and size."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrtransfer.study.models.llama import Llama
from tests.study.models.cases import fill

TOKENS = torch.tensor([[0, 2, 1, 1, 3], [4, 0, 0, 2, 1]])


def net(**changes: Any) -> Llama:
    sizes = {"in_features": 0, "out_features": 5, "width": 8, "heads": 2, "block_size": 6}
    model = Llama(**(sizes | changes))
    fill(model)
    return model


def test_it_is_pre_norm_branches_and_a_normed_readout() -> None:
    model = net()
    hidden = model.embed.weight[TOKENS]
    for norm, branch in model.branches:  # type: ignore[misc]
        hidden = hidden + branch(norm(hidden))  # type: ignore[has-type]
    expected = model.final_norm(hidden) @ model.readout.weight.T
    torch.testing.assert_close(model(TOKENS), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_outputs_do_not_depend_on_later_tokens(qk_norm: bool) -> None:
    model, changed = net(qk_norm=qk_norm), TOKENS.clone()
    changed[:, 3] = (changed[:, 3] + 1) % 5
    before, after = model(TOKENS), model(changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], rtol=1e-13, atol=1e-13)
    assert (before[:, 3:] - after[:, 3:]).abs().amax(-1).min() > 1e-6


def test_the_order_of_earlier_tokens_counts() -> None:
    model, swapped = net(), TOKENS[:, [1, 0, 2, 3, 4]]
    assert not torch.allclose(model(TOKENS)[:, 4], model(swapped)[:, 4], rtol=1e-6)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_the_number_of_parameters(qk_norm: bool) -> None:
    n, depth, size = 8, 4, 4
    expected = 2 * 5 * n + depth // 2 * (4 + 3 * 3) * n * n + (depth + 1) * n
    model = net(qk_norm=qk_norm)
    assert sum(p.numel() for p in model.parameters()) == expected + qk_norm * depth * size


def test_heads_of_one_size_grow_in_number_with_the_width() -> None:
    assert [net(width=n, head_size=4).branches[0][1].heads for n in (8, 16)] == [2, 4]  # type: ignore[index]


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="head_size is 3, which does not divide width 8"):
        net(head_size=3)
    with pytest.raises(ValueError, match="rotary embedding needs an even one"):
        net(width=6)
    with pytest.raises(ValueError, match=r"rotary_base is 0\.0\. Give a positive number\."):
        net(rotary_base=0.0)
    with pytest.raises(ValueError, match="depth is 3; it counts residual branches"):
        net(depth=3)
    with pytest.raises(ValueError, match="more than block_size 6"):
        net()(torch.zeros(1, 7, dtype=torch.int64))
    with pytest.raises(ValueError, match="kv_heads is 3, which does not divide heads 2"):
        net(kv_heads=3)


def test_grouped_queries_are_a_whole_net_whose_keys_repeat() -> None:
    grouped, whole = net(heads=4, kv_heads=2), net(heads=4)
    state = grouped.state_dict()
    for name in whole.state_dict():
        if name.endswith(("key.weight", "value.weight")):
            heads = state[name].unflatten(0, (2, 2))  # two heads of two dimensions
            state[name] = heads.repeat_interleave(2, 0).flatten(0, 1)
    whole.load_state_dict(state)
    torch.testing.assert_close(grouped(TOKENS), whole(TOKENS), rtol=1e-12, atol=1e-12)
    attention = grouped.branches[0][1]  # type: ignore[index]
    assert attention.key.weight.shape == attention.value.weight.shape == (4, 8)
