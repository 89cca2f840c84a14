"""A trained network with its loss and the samples to measure it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.parts import load
from lrtransfer.study.training import streams
from lrtransfer.study.training.examples import training_examples
from lrtransfer.study.training.network import PRECISIONS, block_size, run_network

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig


@dataclass(frozen=True)
class Problem:
    """What a measurement of curvature needs.

    Attributes:
        model: The network with its trained weights.
        loss: (outputs, targets) -> mean over samples.
        batch: Inputs and targets.
        relative_rates: Trained parameter -> learning rate over the global one; None is one for all.
    """

    model: nn.Module
    loss: Callable[[Any, Any], Tensor]
    batch: Any
    relative_rates: Mapping[str, float] | None = None


def of_run(
    config: RunConfig,
    weights: Mapping[str, Tensor],
    arrays: Arrays,
    samples: int,
    device: torch.device,
) -> Problem:
    """Return a run's network with `weights`, on the first `samples` of its measured subset.

    Raises:
        ValueError: There are fewer samples.
    """
    dtype = PRECISIONS[config.precision]
    examples = training_examples(arrays, dtype, device, block=block_size(config.model))
    net = run_network(config, examples.in_features, examples.outputs, device)
    net.model.load_state_dict(weights)
    batch = examples.batch(streams.subset(len(examples), samples))
    return Problem(net.model, load("loss", config.loss), batch, net.relative_rates)
