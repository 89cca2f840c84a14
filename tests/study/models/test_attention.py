"""Explicit attention against torch's fused one, and its options."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from lrtransfer.scaling.multiplier import multiply_output
from lrtransfer.study.models.attention import SelfAttention, head_sizes
from lrtransfer.study.models.rotary import rotate
from tests.study.models.cases import fill

CAUSAL: dict[str, Any] = {"causal": True, "bias": False}


def attention(**changes: Any) -> SelfAttention:
    module = SelfAttention(8, 2, **CAUSAL | changes)
    fill(module)
    return module


def tokens() -> torch.Tensor:
    return torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("base", [None, 100.0])
def test_it_is_scaled_dot_product_attention(
    causal: bool, qk_norm: bool, base: float | None
) -> None:
    module = attention(causal=causal, qk_norm=qk_norm, rotary_base=base)
    x, weights = tokens(), dict(module.named_parameters())
    q, k, v = (
        torch.stack((x @ weights[f"{name}.weight"].T).split(4, dim=-1), dim=1)  # type: ignore[no-untyped-call]
        for name in ("query", "key", "value")
    )
    if qk_norm:
        q, k = (
            z / (z.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weights[f"{n}_norm.gain.weight"]
            for z, n in ((q, "query"), (k, "key"))
        )
    if base is not None:
        q, k = rotate(q, base), rotate(k, base)
    mixed = scaled_dot_product_attention(q, k, v, is_causal=causal)
    expected = torch.cat(mixed.unbind(1), dim=-1) @ weights["projection.weight"].T
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


def test_biases_are_added_to_all_four_maps() -> None:
    names = [n for n, _ in attention(bias=True).named_parameters() if n.endswith("bias.weight")]
    assert names == [f"{n}.bias.weight" for n in ("query", "key", "value", "projection")]


def test_a_multiplier_on_the_logits_acts_before_the_softmax() -> None:
    module, rescaled = attention(), attention()
    multiply_output(module.logits, 0.25)
    with torch.no_grad():
        rescaled.query.weight.mul_(0.25)  # type: ignore[operator, union-attr]
    torch.testing.assert_close(module(tokens()), rescaled(tokens()), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(module(tokens()), attention()(tokens()), rtol=1e-3)


def test_logits_are_over_the_root_of_the_head_dimension() -> None:
    logits = attention().logits
    ones = torch.ones(1, 2, 4)
    assert logits(ones, ones).tolist() == [[[4 / math.sqrt(4)] * 2] * 2]


def test_every_module_of_logits_is_named_with_its_head_dimension() -> None:
    nested = torch.nn.Sequential(attention(), torch.nn.Identity(), SelfAttention(6, 1, **CAUSAL))
    assert head_sizes(nested) == {"0.logits": 4, "2.logits": 6}


def test_heads_and_head_dimension_are_checked() -> None:
    for heads in (0, 3):
        with pytest.raises(ValueError, match=f"heads is {heads}, which does not divide width 8"):
            SelfAttention(8, heads, **CAUSAL)
    with pytest.raises(ValueError, match="width 6 over heads 2 is 3; rotary"):
        SelfAttention(6, 2, rotary_base=10.0, **CAUSAL)
