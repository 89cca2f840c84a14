"""A model or a loss of the study's own: two samples are passed through it before it trains."""

from __future__ import annotations

import torch
from torch import Tensor

from lrtransfer.study.data.described import described, sizes
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.parts import load
from lrtransfer.study.plan.places import shown
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.network import PRECISIONS, blank_network, block_size


class OutputsError(ValueError):
    """A model or a loss returns something else than the data need."""


def try_outputs(plan: Plan, config: RunConfig) -> None:
    """Pass two samples through a model and a loss, where one of them is not this package's.

    Raises:
        OutputsError: A shape is wrong; the message names the file.
    """
    family = config.model.family
    own = [not catalog.is_ours("models", family), not catalog.is_ours("losses", config.loss)]
    dataset = plan.data_of(config)
    block, dtype = block_size(config.model), PRECISIONS[config.precision]
    if not any(own) or (block is None and described(dataset).shape is None):
        return  # of the latter a text, `preflight` says that it does not fit
    features, outputs = sizes(dataset)
    inputs, places = torch.zeros(2, block or 1, dtype=torch.long), [2, block or 1]
    targets = torch.zeros(places, dtype=torch.long)
    if block is None:
        inputs, places = torch.randn(2, *described(dataset).shape or (), dtype=dtype), [2]
        classes = described(dataset).classes
        targets = targets[:, 0] if classes else torch.zeros(2, outputs, dtype=dtype)
    wanted = (*places, outputs)
    found = torch.randn(wanted, dtype=dtype)
    if own[0]:
        found = blank_network(config, features, outputs).model(inputs)
    if not isinstance(found, Tensor) or found.shape != wanted:
        raise OutputsError(
            f"the model {family!r} returns {_what(found)} for inputs {tuple(inputs.shape)}, but "
            f"the data need {wanted}: samples{', tokens' * (block is not None)}, outputs. Correct "
            f"{shown(catalog.source_file('models', family))}."
        )
    loss = load("loss", config.loss)(found, targets)
    if not isinstance(loss, Tensor) or loss.shape != ():
        raise OutputsError(
            f"the loss {config.loss!r} returns {_what(loss)}. Return the mean over samples, a "
            f"tensor of shape (), in {shown(catalog.source_file('losses', config.loss))}."
        )


def _what(found: object) -> str:
    return str(tuple(found.shape)) if isinstance(found, Tensor) else f"a {type(found).__name__}"
