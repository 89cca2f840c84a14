"""Labelled 8-bit images: decoded, cut to a few per class, standardised."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrtransfer.study.data import Arrays

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]

LEVELS = 256
SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_CHUNK = 1024  # images whose pixels are counted at once, to keep the memory small


@dataclass(frozen=True)
class Labelled:
    """Images of one part of a data set.

    Attributes:
        pixels: uint8, shape (n, channels, height, width).
        labels: Class numbers from 0, int64, shape (n,).
    """

    pixels: Pixels
    labels: Labels

    def first_of_each_class(self, number: int, classes: int, part: str) -> Labelled:
        """Return the first `number` images of each class in their stored order; 0 keeps all.

        Args:
            number: Images of each class.
            classes: Number of classes.
            part: `train` or `test`, for the error message.

        Raises:
            ValueError: A label is out of range, or a class has none or fewer images.
        """
        if self.labels.size and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < classes:
            raise ValueError(
                f"the {part} labels run from {self.labels.min()} to {self.labels.max()}; "
                f"there are {classes} classes. Check that the archive is this data set's."
            )
        fewest = int(np.bincount(self.labels, minlength=classes).min())
        if fewest < max(number, 1):
            raise ValueError(
                f"{part}_per_class is {number}, but a class has {fewest} {part} images. "
                "Lower it, or check that the archive is complete."
            )
        if number == 0:
            return self
        kept = [np.flatnonzero(self.labels == c)[:number] for c in range(classes)]
        chosen = np.sort(np.concatenate(kept))
        return Labelled(self.pixels[chosen], self.labels[chosen])


class Collector:
    """Decodes the images of one part of a data set as they come, up to a number of each class.

    Args:
        classes: Names of the classes, in the order of their numbers.
        size: Height and width of the decoded images (pixels).
        per_class: Images of each class that are kept, the first to come; 0 keeps all.
        part: `train` or `test`, for error messages.
    """

    def __init__(self, classes: Sequence[str], size: int, per_class: int, part: str) -> None:
        if size < 1:
            raise ValueError(f"image_size is {size}. Give 1 or more pixels.")
        self.counts = dict.fromkeys(classes, 0)
        self.numbers = {name: number for number, name in enumerate(classes)}
        self.size, self.per_class, self.part = size, per_class, part
        self.pixels: list[Pixels] = []
        self.labels: list[int] = []

    def takes(self, class_name: str) -> bool:
        """Return whether one more image of a class is wanted; never for a foreign class."""
        found = self.counts.get(class_name)
        return found is not None and (self.per_class == 0 or found < self.per_class)

    def add(self, content: bytes, name: str, class_name: str) -> None:
        """Decode one image and keep it.

        Raises:
            ValueError: The image cannot be read.
        """
        self.pixels.append(decoded(content, name, self.size))
        self.labels.append(self.numbers[class_name])
        self.counts[class_name] += 1

    def labelled(self) -> Labelled:
        """Return the images in the order in which they came.

        Raises:
            ValueError: A class has no image, or fewer than asked for.
        """
        stacked = np.stack(self.pixels) if self.pixels else np.empty((0, 3, 1, 1), np.uint8)
        found = Labelled(stacked, np.array(self.labels, dtype=np.int64))
        return found.first_of_each_class(self.per_class, len(self.numbers), self.part)


def standardised(train: Labelled, test: Labelled) -> Arrays:
    """Return float32 inputs (n, channels, height, width) and int64 targets (n,) of both parts.

    Each channel is shifted and scaled by the mean and deviation of its training pixels.

    Raises:
        ValueError: A channel has the same value in every training pixel.
    """
    table = standard_values(train.pixels)
    return {
        "train_inputs": _looked_up(table, train.pixels),
        "train_targets": train.labels,
        "test_inputs": _looked_up(table, test.pixels),
        "test_targets": test.labels,
    }


def decoded(content: bytes, name: str, size: int) -> Pixels:
    """Return an encoded image as RGB, uint8 of shape (3, size, size).

    The shorter side is scaled to `size` pixels (bilinear, with antialiasing) and the middle kept.

    Args:
        content: The file's bytes: JPEG, PNG or another format that Pillow reads.
        name: The file's name, for the error message.
        size: Height and width (pixels).

    Raises:
        ValueError: The content is no image, or a damaged one.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as image:
            fitted = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"the image {name} cannot be read ({error}). Replace it or take it out."
        ) from error
    return np.ascontiguousarray(np.asarray(fitted, dtype=np.uint8).transpose(2, 0, 1))


def standard_values(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the standardised value of each grey level, shape (channels, 256).

    Counting levels gives mean and deviation in float64 without a float copy of the images.
    """
    channels = pixels.shape[1]
    counts = np.zeros((channels, LEVELS))
    for start in range(0, len(pixels), _CHUNK):
        for channel in range(channels):
            part = pixels[start : start + _CHUNK, channel].ravel()
            counts[channel] += np.bincount(part, minlength=LEVELS)
    levels = np.arange(LEVELS) / (LEVELS - 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = (shares * levels).sum(axis=1, keepdims=True)
    deviation = np.sqrt((shares * (levels - mean) ** 2).sum(axis=1, keepdims=True))
    if not deviation.all():
        raise ValueError(
            f"channel {int(deviation.argmin())} is constant over the training images; it cannot "
            "be standardised. Take more or other images."
        )
    values: np.ndarray[Any, np.dtype[np.float32]] = ((levels - mean) / deviation).astype(np.float32)
    return values


def _looked_up(
    table: np.ndarray[Any, np.dtype[np.float32]], pixels: Pixels
) -> np.ndarray[Any, np.dtype[np.float32]]:
    inputs = np.empty(pixels.shape, dtype=np.float32)
    for channel, values in enumerate(table):
        inputs[:, channel] = values[pixels[:, channel]]
    return inputs
