"""The networks of the study: built, scaled by a parameterization, and as a run trains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from lrtransfer.scaling.apply import apply, scale_modules, scale_tensors
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants, Scaled
from lrtransfer.study.plan.parts import load
from lrtransfer.study.training import streams

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import ModelConfig, ParameterizationConfig, RunConfig

# Of the weights; under bfloat16 they are the masters (`mixed_precision`).
PRECISIONS = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}


@dataclass(frozen=True)
class Network:
    """A scaled model and the numbers of each of its tensors.

    Attributes:
        model: The network.
        scaled: Name of each tensor -> its numbers.
        warmup: Tensor and update (0-based) -> factor on its learning rate; None without.
    """

    model: nn.Module
    scaled: dict[str, Scaled]
    warmup: Callable[[str, int], float] | None = None

    @property
    def roles(self) -> Roles:
        """The role of each tensor, and what else scaling knows of the model."""
        found: Roles = self.model.roles()  # type: ignore[operator]
        return found

    @property
    def relative_rates(self) -> dict[str, float]:
        """Name of each trained tensor -> its learning rate over the global one."""
        return {name: self.scaled[name].learning_rate for name, _ in self.trained}

    @property
    def trained(self) -> list[tuple[str, nn.Parameter]]:
        """Names and tensors that training moves, in the model's order."""
        return [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]


def build(model: ModelConfig, in_features: int, out_features: int) -> nn.Module:
    """Return a model as its family makes it, on the device of the context.

    Under `torch.device("meta")` it has shapes alone and costs no memory.

    Args:
        model: Family, options and size.
        in_features: Numbers per sample; of no meaning for tokens.
        out_features: Numbers of outputs.

    Raises:
        ValueError: The family refuses its options or sizes.
    """
    made: nn.Module = load("model", model)(
        in_features=in_features,
        out_features=out_features,
        width=model.width,
        depth=model.depth,
        **model.options,
    )
    return made


def network(
    model: ModelConfig,
    parameterization: ParameterizationConfig,
    in_features: int,
    out_features: int,
    *,
    precision: str,
    seed: int,
) -> Network:
    """Return an untrained network on the CPU; the seed fixes its weights on every host.

    A model that tells no roles is in the equivalent form without multipliers (`outside`).

    Args:
        model: Family, options and size.
        parameterization: Rules and constants.
        in_features: Numbers per sample; of no meaning for tokens.
        out_features: Numbers of outputs.
        precision: A key of `PRECISIONS`.
        seed: Of the weights.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor or module.
        UnplacedTensorError: Of a model that tells no roles, that of a tensor cannot be told.
    """
    generator = streams.generator("initialisation", seed)

    def of_width(width: int) -> nn.Module:
        return build(replace(model, width=width), in_features, out_features)

    with torch.random.fork_rng(devices=[]):  # constructors draw weights that are drawn anew below
        made = of_width(model.width).to(PRECISIONS[precision])
        if (scale := load("outside", parameterization.outside)) is not None:
            return Network(made, scale(made, of_width, model, parameterization, generator))
    scaled = apply(
        made,
        made.roles(),  # type: ignore[operator]
        parameterization.rules,
        Constants(**parameterization.constants),
        width=model.width,
        depth=model.depth,
        generator=generator,
    )
    return Network(made, scaled)


def run_network(
    config: RunConfig, in_features: int, out_features: int, device: torch.device
) -> Network:
    """Return the untrained network of a run.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor or module.
        ValueError: The decay rule or the warm-up does not fit the network.
    """
    made = network(
        config.model,
        config.parameterization,
        in_features,
        out_features,
        precision=config.precision,
        seed=config.seed,
    )
    if config.trained == "output":
        for name, parameter in made.model.named_parameters():
            parameter.requires_grad_(made.roles.tensors.get(name) == "output")
    made.model.to(device)
    return _with_rules(config, made)


def blank_network(config: RunConfig, in_features: int, out_features: int) -> Network:
    """Return the network of a run with shapes for tensors: all its numbers, and no memory.

    A model that tells no roles is built in memory: what its tensors hold tells them too.

    Raises:
        UnknownRoleError: The rules lack the role of a tensor or module.
        ValueError: The model refuses its options or sizes, or the rules do not fit it.
    """
    if config.parameterization.outside is not None:
        return run_network(config, in_features, out_features, torch.device("cpu"))
    with torch.device("meta"):
        model = build(config.model, in_features, out_features)
    roles: Roles = model.roles()  # type: ignore[operator]
    rules = config.parameterization.rules
    constants = Constants(**config.parameterization.constants)
    size = {"width": config.model.width, "depth": config.model.depth}
    scaled = dict(scale_tensors(model, roles, rules, constants, **size))
    for _ in scale_modules(roles, rules, constants, **size):
        pass
    return _with_rules(config, Network(model, scaled))


def _with_rules(config: RunConfig, made: Network) -> Network:
    """Return the network under the run's decay rule, with its warm-up."""
    table, roles = made.scaled, made.roles
    scaled, warmup = table, None
    if (rule := load("decay", config.decay)) is not None:
        scaled = rule(config, made.model, roles, table)
    if (factor_of := load("group_warmup", config.group_warmup)) is not None:
        warmup = factor_of(config, roles, table, scaled)
    if (rescaled := load("horizon", config.horizon)) is not None:
        scaled = rescaled(config, roles, scaled)
    return Network(made.model, scaled, warmup)


def block_size(model: ModelConfig) -> int | None:
    """Return the tokens of one sample of text; None for a model that takes no tokens."""
    size: int | None = model.options.get("block_size")
    return size
