"""Random crop and flip of image batches, as in the papers' CIFAR-10 runs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

PADDING = 4


def crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images shifted by up to 4 pixels over a border of zeros, half of them mirrored.

    Args:
        images: (n, channels, height, width).
        generator: On the CPU, so that a seed means the same shifts on every device.

    Raises:
        ValueError: The inputs are no images of that shape.
    """
    if images.ndim != 4:
        raise ValueError(
            f"augmentation crop_flip needs images (n, channels, height, width), not "
            f"{tuple(images.shape)}. Set augmentation: none or choose another data set."
        )
    count, _, height, width = images.shape
    shifts = torch.randint(0, 2 * PADDING + 1, (2, count), generator=generator)
    flipped = torch.rand(count, generator=generator) < 0.5
    rows = shifts[0][:, None] + torch.arange(height)
    columns = shifts[1][:, None] + torch.arange(width)
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    padded = functional.pad(images, (PADDING,) * 4).movedim(1, -1)
    sample = torch.arange(count)[:, None, None]
    place = (sample, rows[:, :, None], columns[:, None, :])
    return padded[tuple(index.to(images.device) for index in place)].movedim(-1, 1)
