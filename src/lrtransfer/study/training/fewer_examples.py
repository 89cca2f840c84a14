"""A part of the training set, as full-batch runs and data-size arms ask for it."""

from __future__ import annotations

import torch

from lrtransfer.study.training import streams
from lrtransfer.study.training.examples import HeldExamples
from lrtransfer.study.training.samples import Examples


def fewer(examples: Examples, count: int, seed: int) -> Examples:
    """Return `count` examples drawn without replacement; a larger draw holds a smaller one.

    Raises:
        ValueError: There are fewer.
    """
    if count > len(examples):
        raise ValueError(
            f"train_samples is {count}, but there are {len(examples)} training samples. Lower it."
        )
    random = streams.generator("samples", seed)
    chosen = torch.randperm(len(examples), generator=random)[:count]
    return HeldExamples(*examples.batch(chosen), examples.outputs)
