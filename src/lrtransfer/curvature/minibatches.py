"""Random mini-batches of one large batch."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from lrtransfer.curvature.batches import Inputs, sample_count
from lrtransfer.curvature.krylov import default_generator


def mini_batches(
    batch: tuple[Inputs, Tensor], size: int, *, generator: torch.Generator | None = None
) -> Iterator[tuple[Inputs, Tensor]]:
    """Yield random mini-batches for ever, each of `size` different samples.

    Args:
        batch: (x, y); entries of a dict x that are no tensors, or hold other than one row per
            sample, are passed on whole.
        size: samples of each mini-batch.
        generator: source of the draws, on the CPU; None is one with seed 0.

    Raises:
        ValueError: `size` is not between 1 and the number of samples, or y has another length.

    Example:
        >>> import torch
        >>> x, y = next(mini_batches((torch.randn(8, 3), torch.arange(8)), 4))
        >>> x.shape, len(set(y.tolist()))
        (torch.Size([4, 3]), 4)
    """
    inputs, targets = batch
    samples = sample_count(inputs)
    if not 1 <= size <= samples:
        raise ValueError(f"size is {size}; choose 1 to {samples}, the samples of the batch")
    if len(targets) != samples:
        raise ValueError(f"x has {samples} samples and y has {len(targets)}")
    return _draws(inputs, targets, samples, size, default_generator(generator))


def _draws(
    inputs: Inputs, targets: Tensor, samples: int, size: int, generator: torch.Generator
) -> Iterator[tuple[Inputs, Tensor]]:
    while True:
        rows = torch.randperm(samples, generator=generator)[:size]
        yield _rows(inputs, rows, samples), targets[rows.to(targets.device)]


def _rows(inputs: Inputs, rows: Tensor, samples: int) -> Inputs:
    if isinstance(inputs, Tensor):
        return inputs[rows.to(inputs.device)]

    def pick(value: Any) -> Any:
        whole = not isinstance(value, Tensor) or value.ndim == 0 or len(value) != samples
        return value if whole else value[rows.to(value.device)]

    picked: Mapping[str, Any] = {name: pick(value) for name, value in inputs.items()}
    return picked
