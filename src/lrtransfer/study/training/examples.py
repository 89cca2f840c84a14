"""Prepared arrays as training samples on a device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import torch
from torch import Tensor

from lrtransfer.study.data import Arrays
from lrtransfer.study.training.image_files import ImageFiles
from lrtransfer.study.training.samples import Batch, Examples, block_count
from lrtransfer.study.training.token_blocks import TokenBlocks

_BYTES = 256


class HeldExamples:
    """A training set in memory.

    Args:
        inputs: (n, …) numbers, or (n, T) tokens.
        targets: (n,) classes, (n, C) numbers, or (n, T) next tokens.
        outputs: Number of outputs that a network needs: classes, numbers or the vocabulary.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, outputs: int) -> None:
        self.inputs, self.targets, self.outputs = inputs, targets, outputs
        self.in_features = prod(inputs.shape[1:]) if inputs.is_floating_point() else 1

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.inputs)

    def batch(self, chosen: Tensor) -> Batch:
        """Return the samples of these numbers."""
        chosen = chosen.to(self.inputs.device)
        return self.inputs[chosen], self.targets[chosen]

    def batches(self, order: Iterable[Tensor]) -> Iterator[Batch]:
        """Yield the samples of one list of numbers after another."""
        return map(self.batch, order)


def training_examples(
    arrays: Arrays, dtype: torch.dtype, device: torch.device, *, block: int | None = None
) -> Examples:
    """Return the training part of prepared arrays.

    Args:
        arrays: `train_inputs` and `train_targets`, or `train_tokens`; shards of tokens and files
            of images stay on the disk.
        dtype: Of numbers; tokens and classes stay whole numbers.
        device: Where to put them.
        block: Tokens of one sample of text; None for a model that takes no tokens.

    Raises:
        ValueError: The data set is not of the kind that the model takes, or the text is shorter
            than a block.
    """
    kinds = dict.fromkeys(name.partition("/")[0] for name in arrays)
    if block is None and "train_paths" in kinds:
        return ImageFiles(arrays, dtype, device)
    wanted = {"train_inputs", "train_targets"} if block is None else {"train_tokens"}
    if not wanted <= kinds.keys():
        raise ValueError(
            f"the data set holds {', '.join(kinds)}; this model needs "
            f"{' and '.join(sorted(wanted))}. Choose another data set for the experiment."
        )
    if block is not None and "train_tokens" not in arrays:
        return TokenBlocks(arrays, block, device)
    if block is not None:
        return _blocks(arrays, block, device)
    inputs = torch.from_numpy(arrays["train_inputs"]).to(device, dtype)
    targets = torch.from_numpy(arrays["train_targets"])
    if targets.is_floating_point():
        return HeldExamples(inputs, targets.to(device, dtype), targets.shape[-1])
    return HeldExamples(inputs, targets.to(device), int(targets.max()) + 1)


def _blocks(arrays: Arrays, block: int, device: torch.device) -> HeldExamples:
    """Cut a stream of tokens into consecutive blocks, each with the tokens that follow."""
    stream = torch.from_numpy(arrays["train_tokens"])
    count = block_count(len(stream), block)
    parts = [torch.from_numpy(array) for name, array in arrays.items() if name.endswith("_tokens")]
    is_bytes = stream.dtype == torch.uint8
    vocabulary = _BYTES if is_bytes else max(int(part.max()) for part in parts) + 1
    stream = stream.to(device, torch.long)
    inputs = stream[: count * block].view(count, block)
    targets = stream[1 : count * block + 1].view(count, block)
    return HeldExamples(inputs, targets, vocabulary)
