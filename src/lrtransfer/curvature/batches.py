"""Batches as curvature takes them: one (x, y) pair or an iterable of pairs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from lrtransfer.curvature.surroundings import RepeatedDraws

Inputs: TypeAlias = Tensor | Mapping[str, Any]
"""What the model is called with: a tensor or a dict, samples along the first axis."""

Batch: TypeAlias = tuple[Inputs, Any] | Iterable[tuple[Inputs, Any]]
"""One (inputs, targets) pair, or chunks of one large batch."""

Item = TypeVar("Item")


def _is_inputs(item: object) -> bool:
    return isinstance(item, Tensor | Mapping)


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple | list) and len(item) == 2 and _is_inputs(item[0])


def chunks_of(batch: Batch) -> list[tuple[Inputs, Any]]:
    """Return the (inputs, targets) pairs of `batch`; an iterator is read once and kept.

    Raises:
        ValueError: `batch` is neither a pair nor a non-empty iterable of pairs.
    """
    chunks: list[Any] = [batch]
    if not _is_pair(batch):
        chunks = [] if _is_inputs(batch) or not isinstance(batch, Iterable) else read(batch)
    if not chunks or not all(_is_pair(chunk) for chunk in chunks):
        raise ValueError(
            "batch must be (x, y) or a non-empty iterable of such pairs, x a tensor or a dict; "
            f"it is {type(batch).__name__}"
        )
    return [(inputs, targets) for inputs, targets in chunks]


def read(items: Iterable[Item]) -> list[Item]:
    """Return `items`, with torch's random state put back."""
    return list(one_by_one(items))


def one_by_one(items: Iterable[Item]) -> Iterator[Item]:
    """Yield `items`, with torch's random state (a `DataLoader` draws) put back after each."""
    if isinstance(items, Sequence):
        yield from items
        return
    draws = RepeatedDraws(anew=False)
    with draws.session():
        left = iter(items)
    while True:
        with draws.session():
            try:
                item = next(left)
            except StopIteration:
                return
        yield item


def input_chunks_of(batch_inputs: Inputs | Iterable[Inputs]) -> list[Inputs]:
    """Return the chunks of a batch without targets.

    Raises:
        ValueError: a tuple is given (it would be mistaken for (x, y)), or no inputs at all.
    """
    if isinstance(batch_inputs, Tensor | Mapping):
        return [batch_inputs]
    bad = isinstance(batch_inputs, tuple) or not isinstance(batch_inputs, Iterable)
    chunks = [] if bad else read(batch_inputs)
    if not chunks or not all(_is_inputs(chunk) for chunk in chunks):
        raise ValueError(
            "batch_inputs must be x alone, a tensor or a dict, or a list of such chunks; "
            "of a batch (x, y) pass x"
        )
    return chunks


def sample_count(inputs: Inputs) -> int:
    """Return the number of samples: the length of the first axis of the first tensor.

    Raises:
        ValueError: `inputs` hold no tensor, a tensor without axes, or no sample.
    """
    candidates = inputs.values() if isinstance(inputs, Mapping) else [inputs]
    first = next((item for item in candidates if isinstance(item, torch.Tensor)), None)
    if first is None or first.ndim == 0 or len(first) == 0:
        raise ValueError("inputs must hold a tensor with at least one sample along its first axis")
    return len(first)
