"""Explicit attention against torch's fused one, and its options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from lrtransfer.models.attention import AttentionLogits, SelfAttention
from lrtransfer.models.rotary import rotate
from lrtransfer.scaling.multiplier import multiply_output
from tests.models.cases import fill


def attention(**changes: Any) -> SelfAttention:
    options: dict[str, Any] = {"attention_scale": "inverse_sqrt", "causal": True, "bias": False}
    module = SelfAttention(8, 2, **options | changes)
    fill(module)
    return module


def tokens() -> torch.Tensor:
    return torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("scale", "factor"), [("inverse_sqrt", 0.5), ("inverse", 0.25)])
@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("base", [None, 100.0])
def test_it_is_scaled_dot_product_attention(
    causal: bool, scale: str, factor: float, qk_norm: bool, base: float | None
) -> None:
    module = attention(attention_scale=scale, causal=causal, qk_norm=qk_norm, rotary_base=base)
    x, weights = tokens(), dict(module.named_parameters())
    q, k, v = (
        torch.stack((x @ weights[f"{name}.weight"].T).split(4, dim=-1), dim=1)
        for name in ("query", "key", "value")
    )
    if qk_norm:
        q, k = (
            z / (z.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weights[f"{n}_norm.gain.weight"]
            for z, n in ((q, "query"), (k, "key"))
        )
    if base is not None:
        q, k = rotate(q, base), rotate(k, base)
    mixed = scaled_dot_product_attention(q, k, v, is_causal=causal, scale=factor)
    expected = torch.cat(mixed.unbind(1), dim=-1) @ weights["projection.weight"].T
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


def test_biases_are_added_to_all_four_maps() -> None:
    names = [n for n, _ in attention(bias=True).named_parameters() if n.endswith("bias.weight")]
    assert names == [f"{n}.bias.weight" for n in ("query", "key", "value", "projection")]


def test_a_multiplier_reaches_the_logits_before_the_softmax() -> None:
    module, sharper = attention(), attention(attention_scale="inverse")
    multiply_output(module.logits, 0.5)  # ½ · 1/√4 = 1/4
    torch.testing.assert_close(module(tokens()), sharper(tokens()), rtol=1e-12, atol=1e-12)


def test_heads_head_dimension_and_scale_are_checked() -> None:
    options: dict[str, Any] = {"attention_scale": "inverse", "causal": True, "bias": False}
    for heads in (0, 3):
        with pytest.raises(ValueError, match=f"heads is {heads}, which does not divide width 8"):
            SelfAttention(8, heads, **options)
    with pytest.raises(ValueError, match="width 6 over heads 2 is 3; rotary"):
        SelfAttention(6, 2, rotary_base=10.0, **options)
    with pytest.raises(ValueError, match=r"attention_scale is 'none'\. Give one of inverse_sqrt"):
        AttentionLogits(4, "none")
