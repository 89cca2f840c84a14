"""Fashion-MNIST (Xiao et al., 2017): 60,000 + 10,000 grey images of 28 × 28 pixels, 10 classes.

It has four gzipped files, 31 MB; what params.yaml pins is the sha256 of the listing of what they
hold (one line `<sha256>  <name>` each), however they were packed:
5cf0562c46b89a77940b86f40a9a4325e7bed59d53ec555c4d14f0bed41ca53a.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.checksums import entries
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
        """Return the listing of what the four files hold, downloaded where they are not cached.

        Raises:
            RuntimeError: A file can neither be downloaded nor read.
            ValueError: A file is truncated or damaged.
        """
        names = [name for part in FILES.values() for name in part]
        lines = (f"{_digest(self._content(name))}  {name.removesuffix('.gz')}\n" for name in names)
        return "".join(lines).encode()

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

    def _content(self, name: str) -> bytes:
        path = fetch(self._address(name))
        try:
            return gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"{path} is truncated or damaged ({error}). Delete it and get it again."
            ) from error

    def _part(self, images: str, labels: str, digests: dict[str, str]) -> Labelled:
        pixels, numbers = (self._idx(name, digests) for name in (images, labels))
        if pixels.shape[1:] != (28, 28) or numbers.shape != (len(pixels),):
            raise ValueError(
                f"{images} holds an array of shape {pixels.shape} and {labels} one of "
                f"{numbers.shape}; (n, 28, 28) and (n,) belong there. Get the official files."
            )
        return Labelled(pixels[:, np.newaxis], numbers.astype(np.int64))

    def _idx(
        self, name: str, digests: dict[str, str]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return the array of an IDX file of unsigned bytes.

        The header is two zeros, the element type (8), the number of axes, and their big-endian
        lengths.
        """
        content = self._content(name)
        if _digest(content) != digests[name.removesuffix(".gz")]:
            raise ValueError(f"{name} changed while the data set was prepared. Prepare it again.")
        if content[:3] != b"\0\0\x08":
            raise ValueError(f"{name} has no IDX header of unsigned bytes. Get the official files.")
        axes = content[3]
        shape = tuple(int(n) for n in np.frombuffer(content, dtype=">u4", count=axes, offset=4))
        pixels = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes)
        if pixels.size != math.prod(shape):
            raise ValueError(
                f"{name} says it holds {shape}, and holds {pixels.size} bytes. Get it again."
            )
        return pixels.reshape(shape)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


DATASET = FashionMNIST
