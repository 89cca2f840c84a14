"""Small float64 networks of every family, for the tests that all families share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.study import models

TOKEN_FAMILIES = {"gpt", "llama"}
CLASSES = 3
BLOCK = 5


@dataclass(frozen=True)
class Case:
    """A family, its sizes and the number of residual branches that it should name."""

    family: str
    branches: int
    sizes: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = {k: v for k, v in self.sizes.items() if k not in {"image_size", "in_features"}}
        return "-".join([self.family, *(f"{k}={v}" for k, v in told.items())])


_TANH8 = {"in_features": 128, "channels": 2, "image_size": 8, "activation": "tanh"}
_TANH16 = _TANH8 | {"in_features": 512, "image_size": 16}
_PATCHES = {"in_features": 32, "channels": 2, "image_size": 4, "patch": 2, "width": 4}
# Layer norm over two channels would leave their sign alone.
_NORMS = [
    {"norm": "none", "width": 2},
    {"norm": "batch", "width": 2},
    {"norm": "layer", "width": 4},
    {"norm": "group", "width": 2, "groups": 2},
]
_TOKENS = {"in_features": 0, "width": 4, "heads": 2, "block_size": BLOCK}

CASES = [
    Case("residual_mlp", 2, {"in_features": 6, "width": 4, "depth": 2, "activation": "tanh"}),
    Case("two_layer_linear", 0, {"in_features": 6, "width": 4}),
    Case("convnet", 0, _TANH16 | {"in_features": 800, "image_size": 20, "width": 2, "depth": 2}),
    Case("convnet", 0, _TANH16 | {"width": 2, "depth": 3}),
    *(
        Case("residual_convnet", 3, _TANH8 | {"stride": 1, "layers_per_branch": 2} | n)
        for n in _NORMS
    ),
    *(Case("resnet", 8, _TANH8 | n) for n in _NORMS),
    Case("resnet", 16, _TANH8 | {"width": 2, "depth": 16, "variant": 34}),
    Case("resnet", 16, _TANH8 | {"width": 1, "depth": 16, "variant": 50}),
    Case("vit", 4, _PATCHES | {"heads": 2, "bias": True}),
    Case("vit", 2, _PATCHES | {"heads": 2, "depth": 2, "pool": "mean"}),
    Case("mlp_mixer", 4, _PATCHES | {"token_hidden": 3, "bias": True}),
    Case("mlp_mixer", 2, _PATCHES | {"token_hidden": 3, "depth": 2}),
    Case("gpt", 4, _TOKENS | {"bias": True}),
    Case("gpt", 4, _TOKENS | {"norm_position": "post"}),
    Case("llama", 4, _TOKENS),
    Case("llama", 2, _TOKENS | {"depth": 2, "qk_norm": True}),
]


def fill(model: nn.Module) -> nn.Module:
    """Give every tensor of ``model``, made float64, entries that depend on their place alone.

    Gains lie around one; matrices keep the size of what passes through them.
    """
    model.double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            wave = _wave(parameter.numel()).view_as(parameter)
            if "gain" in name:
                parameter.copy_(1 + 0.3 * wave)
            elif "bias" in name:
                parameter.copy_(0.3 * wave)
            else:
                parameter.copy_(wave * (2 / parameter[0].numel()) ** 0.5)
    return model


def build(case: Case, **changes: Any) -> nn.Module:
    """Return the case's network, filled, with ``changes`` to its sizes."""
    sizes = {"out_features": CLASSES} | case.sizes | changes
    return fill(models.build(case.family, **sizes))


def inputs(case: Case, n: int = 4) -> Tensor:
    """Return n inputs of the case's kind: tokens, or numbers of the flattened shape."""
    if case.family in TOKEN_FAMILIES:
        return (_wave(n * BLOCK).view(n, BLOCK) * 100).long() % CLASSES
    features = case.sizes["in_features"]
    return 1.4 * _wave(n * features).view(n, features)


def _wave(count: int) -> Tensor:
    """Return sin k² for k = 1…count: numbers without order, the same everywhere."""
    return torch.arange(1, count + 1).double().square().sin()
