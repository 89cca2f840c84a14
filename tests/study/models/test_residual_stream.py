"""The residual stream of transformers and mixers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtransfer.study.models.residual_stream import check_ratio, count_blocks, flow


def test_each_branch_sees_the_stream_that_the_one_before_left() -> None:
    branches = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    x = torch.linspace(-1, 1, 5, dtype=torch.float64)
    after = x + x.clamp(min=0)
    torch.testing.assert_close(flow(x, branches), after + after.tanh())


def test_two_branches_make_a_block() -> None:
    assert [count_blocks(depth) for depth in (2, 4, 12)] == [1, 2, 6]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_odd_or_empty_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth is {depth}; it counts residual branches"):
        count_blocks(depth)


def test_an_empty_inner_layer_is_refused() -> None:
    check_ratio("mlp_ratio", 1)
    with pytest.raises(ValueError, match=r"mlp_ratio is 0\. Give 1 or more\."):
        check_ratio("mlp_ratio", 0)
