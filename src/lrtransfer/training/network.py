"""A run's network: the model of its configuration, scaled by its parameterization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lrtransfer import models
from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.rules import Constants
from lrtransfer.training import streams

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Network:
    """A scaled, initialised model and its learning rates relative to the global one."""

    model: nn.Module
    rates: dict[str, float]


def network(
    config: dict[str, Any], in_features: int, out_features: int, device: torch.device
) -> Network:
    """Return the untrained network of a run; the seed fixes the weights on every host."""
    spec, parameterization = config["model"], config["parameterization"]
    with torch.random.fork_rng(devices=[]):  # constructors draw weights that are drawn anew below
        model = models.build(
            spec["family"],
            in_features=in_features,
            out_features=out_features,
            width=spec["width"],
            depth=spec["depth"],
            **spec["options"],
        )
    model = model.to(PRECISIONS[config["precision"]])
    rates = apply(
        model,
        model.roles(),  # type: ignore[operator]
        parameterization["rules"],
        Constants(**parameterization["constants"]),
        width=spec["width"],
        depth=spec["depth"],
        generator=streams.generator(streams.INITIALISATION, config["seed"]),
    )
    return Network(model.to(device), rates)
