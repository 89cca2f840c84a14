"""A transformer of an outsider's, parameterized, and its multipliers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.scaling.first_pass import FirstPass
from lrtransfer.scaling.hooks import MultiplyArgument, MultiplyOutput

from .outsiders import Transformer, with_layout

BRANCHES = ["h.*.attn", "h.*.mlp"]


PRE_NORMS = ["h.*.ln_*"]


def transformer(width: int = 8, **options: Any) -> Transformer:
    with torch.random.fork_rng():
        return Transformer(width, **options).double()


def scaled(model: nn.Module, name: Any = "mup", **changes: Any) -> list[dict[str, Any]]:
    width = model.get_parameter("wte.weight").shape[1]
    settings: dict[str, Any] = {
        "optimizer": "adamw",
        "lr": 1e-2,
        "attention": {"h.*.attn.qkv": (width // 2, slice(0, width))},
        "seed": 0,
    } | changes
    if "base" not in settings:
        tied = model.get_parameter("head.weight") is model.get_parameter("wte.weight")
        settings["base"] = transformer(width // 2, tied=tied)
    return lt.parameterize(model, name, **with_layout(settings))


def hooks(model: nn.Module) -> dict[str, list[MultiplyOutput | MultiplyArgument]]:
    """Return module name -> multipliers."""
    found = {
        name: [*m._forward_hooks.values(), *m._forward_pre_hooks.values()]
        for name, m in model.named_modules()
    }
    multipliers = {
        name: [hook for hook in own if not isinstance(hook, FirstPass)]
        for name, own in found.items()
    }
    return {name: own for name, own in multipliers.items() if own}


class Encoder(nn.Module):
    """Torch's own transformer layers."""

    def __init__(self, width: int, *, nested: bool = False) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=nested)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        outputs: Tensor = self.layers(self.first(inputs), mask=mask)
        return outputs
