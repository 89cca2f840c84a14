"""Small networks of the package's families, and which of their tensors decay."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lrtransfer.study.plan.catalog import load

from .outsiders import numbers, tokens

UNDECAYED = {"bias", "norm_gain", "scalar_bias"}


FAMILIES: dict[str, dict[str, Any]] = {
    "residual_mlp": {"in_features": 5, "out_features": 3, "depth": 2, "activation": "tanh"},
    "gpt": {"in_features": 0, "out_features": 7, "heads": 2, "block_size": 6, "bias": True},
    "mlp_mixer": {
        "in_features": 32,
        "out_features": 3,
        "channels": 2,
        "image_size": 4,
        "patch": 2,
        "token_hidden": 3,
        "bias": True,
    },
}


def build(family: str, width: int) -> nn.Module:
    with torch.random.fork_rng():
        return load("models", family)(width=width, **FAMILIES[family]).double()


def inputs_of(family: str) -> torch.Tensor:
    if family == "gpt":
        return tokens()
    return numbers(features=FAMILIES[family]["in_features"])


def decays(role: str) -> bool:
    return role not in UNDECAYED
