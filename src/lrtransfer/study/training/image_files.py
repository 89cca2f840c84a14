"""Training samples from files of images, decoded by worker processes ahead of the training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.images import decoded
from lrtransfer.study.training.samples import Batch

_MOST_WORKERS = 8


class ImageFiles:
    """Images that are read and decoded as asked for; each batch is the same on every machine.

    Args:
        arrays: What `data/image_files.py` has prepared.
        dtype: Of the images.
        device: Where batches go.
    """

    def __init__(self, arrays: Arrays, dtype: torch.dtype, device: torch.device) -> None:
        self.device = device
        self.files = _Files(arrays, dtype)
        self.in_features = 3 * self.files.size**2
        self.outputs = int(arrays["train_targets"].max()) + 1

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def batch(self, chosen: Tensor) -> Batch:
        """Return the images of these numbers, decoded in this process.

        Raises:
            ValueError: A file is no image any more.
            FileNotFoundError: A file is gone.
        """
        images, targets = zip(*(self.files[number] for number in chosen.tolist()), strict=True)
        return torch.stack(images).to(self.device), torch.tensor(targets, device=self.device)

    def batches(self, order: Iterable[Tensor]) -> Iterator[Batch]:
        """Yield one batch after another, decoded ahead by as many processes as there are cores."""
        cores = len(os.sched_getaffinity(0))
        loader = DataLoader(
            self.files,
            batch_sampler=(chosen.tolist() for chosen in order),  # type: ignore[arg-type]
            num_workers=min(cores, _MOST_WORKERS),
            pin_memory=self.device.type == "cuda",
        )
        for images, targets in loader:
            yield (
                images.to(self.device, non_blocking=True),
                targets.to(self.device, non_blocking=True),
            )


class _Files(Dataset[tuple[Tensor, int]]):
    """One image after its number."""

    def __init__(self, arrays: Arrays, dtype: torch.dtype) -> None:
        self.paths, self.targets = arrays["train_paths"], arrays["train_targets"]
        self.values = torch.from_numpy(arrays["pixel_values"]).to(dtype)
        self.size = int(arrays["image_size"][0])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        path = Path(self.paths[number].tobytes().rstrip(b"\0").decode())
        pixels = torch.from_numpy(decoded(path.read_bytes(), str(path), self.size)).long()
        image = [values[levels] for values, levels in zip(self.values, pixels, strict=True)]
        return torch.stack(image), int(self.targets[number])
