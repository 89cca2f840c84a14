"""Training samples from shards of tokens: consecutive blocks, read from the disk as asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrtransfer.study.data import Arrays
from lrtransfer.study.training.samples import Batch, block_count


class TokenBlocks:
    """Blocks of a text that may be larger than the memory.

    They are those that `examples` cuts of the same text in memory.

    Args:
        arrays: `train_tokens/<shard>`, in order, and `vocabulary`.
        block: Tokens of a sample.
        device: Where batches go.

    Raises:
        ValueError: The text is shorter than a block.
    """

    in_features = 1

    def __init__(self, arrays: Arrays, block: int, device: torch.device) -> None:
        self.outputs = int(arrays["vocabulary"][0])
        self.block, self.device = block, device
        self.shards = [array for name, array in arrays.items() if name.startswith("train_tokens/")]
        self.starts = np.array([0, *accumulate(map(len, self.shards))])
        self.count = block_count(int(self.starts[-1]), block)

    def __len__(self) -> int:
        """Return the number of blocks."""
        return self.count

    def batch(self, chosen: Tensor) -> Batch:
        """Return blocks of these numbers and the tokens that follow, both (n, block)."""
        rows = np.stack([self._tokens(int(number) * self.block) for number in chosen.tolist()])
        tokens = torch.from_numpy(rows).to(self.device)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def batches(self, order: Iterable[Tensor]) -> Iterator[Batch]:
        """Yield one batch after another."""
        return map(self.batch, order)

    def _tokens(self, start: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the tokens of a block and the one after it, over the borders of shards."""
        parts, left = [], self.block + 1
        shard = int(np.searchsorted(self.starts, start, side="right")) - 1
        while left:
            place = start - int(self.starts[shard])
            parts.append(np.asarray(self.shards[shard][place : place + left], dtype=np.int64))
            start, left, shard = start + len(parts[-1]), left - len(parts[-1]), shard + 1
        return np.concatenate(parts)
