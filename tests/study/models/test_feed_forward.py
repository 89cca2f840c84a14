"""Feed-forward branches against their formulas."""

from __future__ import annotations

import torch

from lrtransfer.study.models.feed_forward import FeedForward, SwiGLU
from tests.study.models.cases import fill


def x() -> torch.Tensor:
    return torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_feed_forward_map_is_two_affine_maps_around_the_activation() -> None:
    module = FeedForward(4, 6, activation="tanh", bias=True)
    w = dict(fill(module).named_parameters())
    inner = torch.tanh(x() @ w["expand.map.weight"].T + w["expand.bias.weight"])
    expected = inner @ w["contract.map.weight"].T + w["contract.bias.weight"]
    torch.testing.assert_close(module(x()), expected, rtol=1e-13, atol=1e-13)


def test_swiglu_gates_with_silu() -> None:
    module = SwiGLU(4, 6)
    w = dict(fill(module).named_parameters())
    gate = x() @ w["gate.weight"].T
    inner = gate * torch.sigmoid(gate) * (x() @ w["expand.weight"].T)
    expected = inner @ w["contract.weight"].T
    torch.testing.assert_close(module(x()), expected, rtol=1e-13, atol=1e-13)
