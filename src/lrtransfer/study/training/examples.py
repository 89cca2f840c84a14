"""Prepared arrays as tensors on a device."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from lrtransfer.study.data import Arrays

_BYTES = 256


@dataclass(frozen=True)
class Examples:
    """A training set.

    Attributes:
        inputs: (n, …) numbers, or (n, T) tokens.
        targets: (n,) classes, (n, C) numbers, or (n, T) next tokens.
        outputs: Number of outputs that a network needs: classes, numbers or the vocabulary.
    """

    inputs: Tensor
    targets: Tensor
    outputs: int

    @property
    def in_features(self) -> int:
        """Numbers per sample; 1 for tokens."""
        return prod(self.inputs.shape[1:]) if self.inputs.is_floating_point() else 1

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.inputs)


def training_examples(
    arrays: Arrays, dtype: torch.dtype, device: torch.device, *, block: int | None = None
) -> Examples:
    """Return the training part of prepared arrays.

    Args:
        arrays: `train_inputs` and `train_targets`, or `train_tokens`.
        dtype: Of numbers; tokens and classes stay whole numbers.
        device: Where to put them.
        block: Tokens of one sample of text; None for a model that takes no tokens.

    Raises:
        ValueError: The data set is not of the kind that the model takes, or the text is shorter
            than a block.
    """
    wanted = {"train_inputs", "train_targets"} if block is None else {"train_tokens"}
    if not wanted <= arrays.keys():
        raise ValueError(
            f"the data set holds {', '.join(arrays)}; this model needs "
            f"{' and '.join(sorted(wanted))}. Choose another data set for the experiment."
        )
    if block is not None:
        return _blocks(arrays, block, device)
    inputs = torch.from_numpy(arrays["train_inputs"]).to(device, dtype)
    targets = torch.from_numpy(arrays["train_targets"])
    if targets.is_floating_point():
        return Examples(inputs, targets.to(device, dtype), targets.shape[-1])
    return Examples(inputs, targets.to(device), int(targets.max()) + 1)


def _blocks(arrays: Arrays, block: int, device: torch.device) -> Examples:
    """Cut a stream of tokens into consecutive blocks, each with the tokens that follow."""
    stream = torch.from_numpy(arrays["train_tokens"])
    count = (len(stream) - 1) // block
    if count < 1:
        raise ValueError(
            f"the text has {len(stream)} tokens; a block of {block} needs one more than that. "
            "Lower block_size or give a longer text."
        )
    parts = [torch.from_numpy(array) for name, array in arrays.items() if name.endswith("_tokens")]
    is_bytes = stream.dtype == torch.uint8
    vocabulary = _BYTES if is_bytes else max(int(part.max()) for part in parts) + 1
    stream = stream.to(device, torch.long)
    inputs = stream[: count * block].view(count, block)
    targets = stream[1 : count * block + 1].view(count, block)
    return Examples(inputs, targets, vocabulary)
