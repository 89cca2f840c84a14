"""What a training set is, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from torch import Tensor

Batch = tuple[Tensor, Tensor]
"""Inputs (n, …) and targets (n, …)."""


class Examples(Protocol):
    """A training set.

    Attributes:
        in_features: Numbers per sample; 1 for tokens.
        outputs: Number of outputs that a network needs: classes, numbers or the vocabulary.
    """

    in_features: int
    outputs: int

    def __len__(self) -> int:
        """Return the number of samples."""

    def batch(self, chosen: Tensor) -> Batch:
        """Return the samples of these numbers, on the device."""

    def batches(self, order: Iterable[Tensor]) -> Iterator[Batch]:
        """Yield the samples of one list of numbers after another; may read ahead."""


def block_count(tokens: int, block: int) -> int:
    """Return how many blocks there are in a text, each with the token after it.

    Raises:
        ValueError: There is none.
    """
    count = (tokens - 1) // block
    if count < 1:
        raise ValueError(
            f"the text has {tokens} tokens; a block of {block} needs one more than that. "
            "Lower block_size or give a longer text."
        )
    return count
