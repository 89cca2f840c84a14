"""Prepared arrays as tensors on a device."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from lrtransfer.data import Arrays


@dataclass(frozen=True)
class Examples:
    """The training set of a classification task: inputs (n, …), targets (n,)."""

    inputs: Tensor
    targets: Tensor
    classes: int

    @property
    def in_features(self) -> int:
        """Numbers per sample."""
        return prod(self.inputs.shape[1:])

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.inputs)


def training_examples(arrays: Arrays, dtype: torch.dtype, device: torch.device) -> Examples:
    """Return the training part of prepared arrays.

    Raises:
        ValueError: The data set is not one of inputs and class targets.
    """
    if not {"train_inputs", "train_targets"} <= arrays.keys():
        raise ValueError(
            f"the data set holds {', '.join(arrays)}; this run needs train_inputs and "
            "train_targets. Choose another data set for the experiment."
        )
    targets = torch.from_numpy(arrays["train_targets"])
    return Examples(
        inputs=torch.from_numpy(arrays["train_inputs"]).to(device, dtype),
        targets=targets.to(device),
        classes=int(targets.max()) + 1,
    )
