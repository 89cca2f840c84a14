"""Batches as curvature takes them: one (x, y) pair or an iterable of pairs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

from lrtransfer.curvature.surroundings import RepeatedDraws

Inputs: TypeAlias = Tensor | Mapping[str, Any]
"""What the model is called with: a tensor or a dict, samples along the first axis."""

Chunk: TypeAlias = tuple[Inputs, Any] | Mapping[str, Any]
"""(inputs, targets), or a mapping with the labels in it for a model that returns its loss."""

Batch: TypeAlias = Chunk | Iterable[Chunk]
"""One chunk, or the chunks of one large batch."""

IGNORED = -100
"""The target that a mean leaves out, as torch and transformers have it."""

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


def labelled_chunks_of(batch: Batch) -> list[tuple[Inputs, Any]]:
    """Return (mapping, None) for each mapping of `batch`: what a model that has labels takes.

    Raises:
        ValueError: `batch` is neither a mapping nor a non-empty iterable of them.
    """
    chunks: list[Any] = [batch]
    if not isinstance(batch, Mapping):
        single = isinstance(batch, Tensor) or not isinstance(batch, Iterable)
        chunks = [] if single else read(batch)
    if not chunks or not all(isinstance(chunk, Mapping) for chunk in chunks):
        raise ValueError(
            "without loss_fn the model returns its loss, and batch must be a mapping with labels "
            f"or a non-empty iterable of such; it is {type(batch).__name__}"
        )
    return [(chunk, None) for chunk in chunks]


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


def weight_of(inputs: Inputs, targets: Any, *, shifted: bool = False) -> int:
    """Return how many terms a chunk's mean has: labels that count, else tokens, else samples.

    Labels are integer targets, or the `labels` of a mapping, and count unless they are -100; an
    `attention_mask` says which tokens count where the targets have its shape, or none are known.

    Args:
        inputs: of the chunk.
        targets: of the chunk.
        shifted: whether the first label of each row is not predicted.

    Raises:
        ValueError: there is no sample, or nothing counts.
    """
    count = sample_count(inputs)
    named = inputs if isinstance(inputs, Mapping) else {}
    labels = named.get("labels") if targets is None else targets
    mask = named.get("attention_mask")
    if isinstance(labels, Tensor) and not (labels.is_floating_point() or labels.is_complex()):
        counted = labels[..., 1:] if shifted and labels.ndim > 1 else labels
        count = int((counted != IGNORED).sum())
    elif isinstance(mask, Tensor) and (
        labels is None or (isinstance(labels, Tensor) and labels.shape[: mask.ndim] == mask.shape)
    ):
        count = int((mask != 0).sum())
    if not count:
        raise ValueError("a chunk of the batch has no label or token that counts; leave it out")
    return count
