"""A user's folder of class folders whose images stay files: ImageNet at its own size.

Like `image_folder`, but only names, classes and the scale of pixels are prepared; worker processes
decode the images while a network trains. 1.28 million images of 224 × 224 pixels would be 770 GB of
float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.checksums import checked_content, entries
from lrtransfer.study.data.image_folder import ImageFolder
from lrtransfer.study.data.images import decoded, standard_values

# Training images whose pixels fix the scale.
_SCALED_BY = 10_000


class ImageFiles(ImageFolder):
    """Square images, standardised per channel with the pixels of 10,000 training images."""

    def arrays(self, raw: bytes) -> Arrays:
        """Return names and classes of the files, and what a grey level becomes.

        `train_paths` (n, length) holds names in UTF-8, filled up with zeros; `train_targets` (n,)
        int64; the same of `test`; `pixel_values` (3, 256) float32; `image_size` (1,).

        Args:
            raw: The listing; the files that fix the scale are checked against it.

        Raises:
            ValueError: One of those changed since it was listed, or is no image.
        """
        found: Arrays = {"image_size": np.array([self.image_size])}
        for name, part in zip(("train", "test"), self._parts(), strict=True):
            files = [file for of_class in part.files.values() for file in of_class]
            counts = [len(of_class) for of_class in part.files.values()]
            found[f"{name}_paths"] = _as_array([str(file).encode() for file in files])
            found[f"{name}_targets"] = np.repeat(np.arange(len(counts)), counts)
            if name == "train":
                found["pixel_values"] = self._scale(files, entries(raw))
        return found

    def _scale(
        self, files: list[Path], digests: dict[str, str]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        chosen = np.random.default_rng(0).permutation(len(files))[:_SCALED_BY]
        pixels = []
        for file in (files[place] for place in chosen):
            name = self._name(file)
            content = checked_content(file, name, digests.get(name, ""))
            pixels.append(decoded(content, name, self.image_size))
        return standard_values(np.stack(pixels))


def _as_array(names: list[bytes]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    length = max(map(len, names))
    return np.array([list(name.ljust(length, b"\0")) for name in names], dtype=np.uint8)


DATASET = ImageFiles
