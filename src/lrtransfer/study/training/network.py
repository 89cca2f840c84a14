"""A run's network: the model of its configuration, scaled by its parameterization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import nn

from lrtransfer.scaling.apply import apply
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.study import models
from lrtransfer.study.training import streams

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Network:
    """A scaled, initialised model and the numbers of each of its tensors.

    Attributes:
        model: The network.
        scaled: Name of each tensor -> its numbers.
        warmup: Update (0-based) -> factors on the learning rates of single tensors; None without.
    """

    model: nn.Module
    scaled: dict[str, Scaled]
    warmup: Callable[[int], dict[str, float]] | None = None

    @property
    def rates(self) -> dict[str, float]:
        """Name of each trained tensor -> its learning rate over the global one."""
        return {name: self.scaled[name].learning_rate for name, _ in self.trained}

    @property
    def trained(self) -> list[tuple[str, nn.Parameter]]:
        """Names and tensors that training moves, in the model's order."""
        return [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]


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
    roles: Roles = model.roles()  # type: ignore[operator]
    scaled = apply(
        model,
        roles,
        parameterization["rules"],
        Constants(**parameterization["constants"]),
        width=spec["width"],
        depth=spec["depth"],
        generator=streams.generator(streams.INITIALISATION, config["seed"]),
    )
    if config.get("trained") == "output":
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(roles.tensors[name] == "output")
    table, warmup = scaled, None
    # Imported by name, so that their code is part of the key of the runs that ask for them alone.
    if "decay" in config:
        scaled = import_module("lrtransfer.study.training.width_rule").ruled(
            config, model, roles, table
        )
    if "group_warmup" in config:
        warmups = import_module("lrtransfer.study.training.group_warmup")
        warmup = warmups.factors(config, roles, table, scaled)
    return Network(model.to(device), scaled, warmup)


def block_size(config: dict[str, Any]) -> int | None:
    """Return the tokens of one sample of text; None for a model that takes no tokens."""
    size: int | None = config["model"]["options"].get("block_size")
    return size
