"""Fashion-MNIST (Xiao et al., 2017): 60,000 + 10,000 grey images of 28 × 28 pixels, 10 classes.

It has four official files; what params.yaml pins is the sha256 of their listing (one line
`<sha256>  <name>` each). Of the official files, 31 MB, it is
70ee1da676459df5750e84d47b246d54e6770d05677de8951072a64ebb08b84f.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.checksums import checked_content, entries, listing
from lrtransfer.study.data.download import Downloaded, discard, fetch
from lrtransfer.study.data.images import Labelled, standardised

CLASSES = 10
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


class FashionMNIST(Downloaded):
    """The official split, standardised with the mean and deviation of all training pixels.

    Args:
        url: The folder, an address or a path, in which the four files lie.
        train_per_class: Training images of each class, the first ones; 0 takes all 6,000.
        test_per_class: Test images of each class, the first ones; 0 takes all 1,000.
    """

    sizes = (28 * 28, CLASSES)

    def __init__(
        self,
        *,
        url: str = (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
        ),
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        super().__init__(url=url)
        self.train_per_class = train_per_class
        self.test_per_class = test_per_class

    def read(self) -> bytes:
        """Return the listing of the four files, downloaded where they are not in the cache.

        Raises:
            RuntimeError: A file can neither be downloaded nor read.
        """
        return listing({name: self._file(name) for names in FILES.values() for name in names})

    def discard(self) -> None:
        """Drop the cached copies, so that the next read downloads again."""
        for names in FILES.values():
            for name in names:
                discard(self._address(name))

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 1, 28, 28) and int64 targets (n,) for train and test.

        Args:
            raw: The listing; every file is checked against it.

        Raises:
            ValueError: A file is damaged, changed, or not of this data set.
        """
        digests = entries(raw)
        train, test = (self._part(*FILES[part], digests) for part in ("train", "test"))
        return standardised(
            train.first_of_each_class(self.train_per_class, CLASSES, "train"),
            test.first_of_each_class(self.test_per_class, CLASSES, "test"),
        )

    def _address(self, name: str) -> str:
        return f"{self.url.rstrip('/')}/{name}"

    def _file(self, name: str) -> Path:
        return fetch(self._address(name))

    def _part(self, images: str, labels: str, digests: dict[str, str]) -> Labelled:
        pixels, numbers = (
            _idx(checked_content(self._file(name), name, digests[name]), name)
            for name in (images, labels)
        )
        if pixels.shape[1:] != (28, 28) or numbers.shape != (len(pixels),):
            raise ValueError(
                f"{images} holds an array of shape {pixels.shape} and {labels} one of "
                f"{numbers.shape}; (n, 28, 28) and (n,) belong there. Get the official files."
            )
        return Labelled(pixels[:, np.newaxis], numbers.astype(np.int64))


def _idx(packed: bytes, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the array of a gzipped IDX file of unsigned bytes.

    The header is two zeros, the element type (8), the number of axes, and their big-endian lengths.
    """
    try:
        content = gzip.decompress(packed)
        if content[:3] != b"\0\0\x08":
            raise ValueError("it has no IDX header of unsigned bytes")
        axes = content[3]
        shape = tuple(int(n) for n in np.frombuffer(content, dtype=">u4", count=axes, offset=4))
        return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(
            f"{name} is truncated or damaged ({error}). Delete it and download it again."
        ) from error


DATASET = FashionMNIST
