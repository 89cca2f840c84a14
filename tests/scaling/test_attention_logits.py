"""Multipliers of attention's logits, in modules of torch's and of a user's own."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import lrtransfer as lt
from lrtransfer.scaling.hooks import MultiplyArgument, MultiplyOutput

from .outsiders import with_layout
from .parameterized import Encoder, hooks, scaled, transformer


def test_the_queries_of_a_fused_projection_carry_the_logits_multiplier() -> None:
    model = transformer(width=8)
    scaled(model)
    attention: Any = model.h[0].attn
    hidden = torch.randn(2, 5, 8, dtype=torch.float64)
    qkv = nn.functional.linear(hidden, attention.qkv.weight, attention.qkv.bias)
    q, k, v = (part.view(2, 5, 2, 4).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    mixed = scaled_dot_product_attention(q, k, v, is_causal=True, scale=1 / 4)
    expected = attention.out(mixed.transpose(1, 2).reshape(2, 5, 8))
    torch.testing.assert_close(attention(hidden), expected, rtol=1e-12, atol=1e-12)


def encoder(**changes: Any) -> Encoder:
    settings: dict[str, Any] = {"optimizer": "adamw", "lr": 1e-3, "seed": 0} | changes
    model = Encoder(16).double()
    lt.parameterize(model, "mup", base=Encoder(8), **with_layout(settings))
    return model


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_torch_s_attention_has_exactly_multiplied_logits(masked: bool, training: bool) -> None:
    model = encoder().train(training)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))  # biases too
    inputs = torch.randn(2, 5, 3, dtype=torch.float64)
    mask = torch.randn(5, 5, dtype=torch.float64) if masked else None
    hidden = model.first(inputs)
    for layer in model.layers.layers:
        attention: nn.MultiheadAttention = layer.self_attn  # type: ignore[assignment]
        q, k, v = (
            part.view(2, 5, 2, 8).transpose(1, 2)
            for part in nn.functional.linear(
                hidden, attention.in_proj_weight, attention.in_proj_bias
            ).chunk(3, dim=-1)
        )
        logits = q @ k.mT / 8**0.5 / 8**0.5  # torch's factor, and the multiplier d^-1/2
        weights = (logits if mask is None else logits + mask).softmax(-1)
        mixed = attention.out_proj((weights @ v).transpose(1, 2).reshape(2, 5, 16))
        hidden = layer.norm1(hidden + mixed)  # type: ignore[operator]
        inner = layer.linear2(torch.relu(layer.linear1(hidden)))  # type: ignore[operator]
        hidden = layer.norm2(hidden + inner)  # type: ignore[operator]
    with torch.no_grad():
        torch.testing.assert_close(model(inputs, mask), hidden, rtol=1e-10, atol=1e-10)


def test_keys_given_by_name_are_multiplied_too() -> None:
    hook = MultiplyArgument(2.0, "attention_logits", position=1, keyword="key")
    assert hook(nn.Identity(), (1, 3, 5), {}) == ((1, 6.0, 5), {})
    assert hook(nn.Identity(), (1,), {"key": 3}) == ((1,), {"key": 6.0})


@pytest.mark.parametrize(
    ("attention", "message"),
    [
        (["layers.layers.0.self_attn"], r"'layers\.layers\.1\.self_attn' is a Multihead"),
        (["layers.layers.2.self_attn"], r"attention names 'layers\.layers\.2\.self_attn'"),
        (["first"], r"attention names 'first', a Linear, without its head dimension"),
        ({"layers.layers.*.self_attn": 4}, r"whose heads have 8 dimensions"),
        ({"layers.layers.*.self_attn": (8, slice(0, 8))}, r"whose heads have 8 dimensions"),
        ({"layers.layers.*.self_attn": 8, "first": 0}, r"'first' the head dimension 0"),
        ({"layers.layers.*.self_attn": 8, "first": (4, slice(4))}, None),
        ({"layers.layers.*.self_attn": 8, "first": (4, slice(4, 2))}, r"Give slice\(first, last"),
    ],
)
def test_attention_that_is_not_told_or_does_not_fit_is_named(
    attention: Any, message: str | None
) -> None:
    if message is None:
        encoder(attention=attention)
        return
    with pytest.raises(ValueError, match=message):
        encoder(attention=attention)


def test_attention_written_by_the_user_is_recognised_by_its_class() -> None:
    with pytest.raises(
        ValueError, match=r"'h\.0\.attn' is a Attention.*\{\"Attention\": \{\"logits\""
    ):
        scaled(transformer(), attention=None)


def test_attention_can_be_left_alone_by_name_or_altogether() -> None:
    assert hooks(encoder(attention={})) == {}
    one = encoder(
        attention={"layers.layers.0.self_attn": 8, "layers.layers.1.self_attn": None},
    )
    assert hooks(one).keys() == {"layers.layers.0.self_attn"}


def test_a_parameterization_without_a_logits_multiplier_asks_for_nothing() -> None:
    model = transformer()
    scaled(model, "sp", attention=None)
    assert hooks(model) == {}


def test_attention_with_a_key_of_its_own_is_refused() -> None:
    class Extra(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(width, 2, add_zero_attn=True)

    with pytest.raises(ValueError, match=r"'attn' attends to a key of its own"):
        lt.parameterize(Extra(8), "mup", base=Extra(4), optimizer="sgd", lr=1.0)


def test_torch_s_encoder_must_not_pack_padded_samples() -> None:
    told: dict[str, Any] = {"base": Encoder(8), "optimizer": "adamw", "lr": 1e-3}
    packing = Encoder(16, nested=True)
    with pytest.raises(ValueError, match=r"'layers' packs padded.*enable_nested_tensor=False"):
        lt.parameterize(packing, "mup", **told)
    lt.parameterize(packing, "mup", layout=lt.Layout(attention={}), **told)


def test_a_head_of_fixed_size_has_a_logits_multiplier_without_width() -> None:
    for width in (8, 32):
        model = transformer(width, heads=width // 4)
        scaled(
            model,
            base=transformer(4, heads=1),
            attention={"h.*.attn.qkv": (4, slice(0, width))},
        )
        assert hooks(model)["h.0.attn.qkv"] == [
            MultiplyOutput(math.sqrt(1 / 4), "attention_logits", (0, width))
        ]
