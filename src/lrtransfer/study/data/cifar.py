"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), from the python archives.

These hold pickled batches of rows of 3 × 32 × 32 bytes.
"""

from __future__ import annotations

import math
from pathlib import PurePosixPath

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.archives import members
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.images import Labelled, standardised
from lrtransfer.study.data.pickles import load

SHAPE = (3, 32, 32)


class CIFAR(Downloaded):
    """The official split, standardised per channel with the training pixels.

    Args:
        classes: Number of classes.
        labels: The entry of a batch that holds the class numbers.
        train: Files of the training batches, without their folder.
        test: The file of the test batch.
        url: Where the archive `cifar-*-python.tar.gz` or a copy of it lies (address or path).
        train_per_class: Training images of each class, the first ones; 0 takes all.
        test_per_class: Test images of each class, the first ones; 0 takes all.
    """

    def __init__(
        self,
        classes: int,
        labels: str,
        train: tuple[str, ...],
        test: str,
        *,
        url: str,
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        super().__init__(url=url)
        self.sizes = (math.prod(SHAPE), classes)
        self.labels, self.train, self.test = labels, train, test
        self.train_per_class, self.test_per_class = train_per_class, test_per_class

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 3, 32, 32) and int64 targets (n,) for train and test.

        Raises:
            ValueError: A batch is missing, or does not hold images and as many labels.
        """
        classes = self.sizes[1]
        train = batches(raw, self.train, self.labels)
        test = batches(raw, (self.test,), self.labels)
        return standardised(
            train.first_of_each_class(self.train_per_class, classes, "train"),
            test.first_of_each_class(self.test_per_class, classes, "test"),
        )


def batches(raw: bytes, names: tuple[str, ...], label_key: str) -> Labelled:
    """Return the images of the named batches, in the order of `names`.

    Args:
        raw: The archive, `cifar-*-python.tar.gz`.
        names: Files of the batches, without their folder.
        label_key: The batch's entry that holds the class numbers.

    Raises:
        ValueError: A batch is missing, or does not hold images and as many labels.
    """
    wanted = frozenset(names)
    found = {
        PurePosixPath(path).name: content
        for path, content in members(raw, lambda path: PurePosixPath(path).name in wanted)
    }
    missing = sorted(wanted - found.keys())
    if missing:
        raise ValueError(
            f"the archive lacks {', '.join(missing)}. Give the url of the official python archive."
        )
    parts = [_batch(name, found.pop(name), label_key) for name in names]
    return Labelled(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _batch(name: str, content: bytes, label_key: str) -> Labelled:
    batch = load(content)
    try:
        pixels = batch["data"].reshape(-1, *SHAPE)
        labels = np.array(batch[label_key], dtype=np.int64)
        if labels.shape != (len(pixels),):
            raise ValueError(f"{len(pixels)} images have labels of shape {labels.shape}")
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is not a batch of CIFAR images ({error!r}). "
            "Give the url of the official python archive."
        ) from error
    return Labelled(pixels, labels)
