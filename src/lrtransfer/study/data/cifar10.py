"""CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 × 32 pixels, 10 classes.

The official archive, 170 MB, has sha256
6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce.
"""

from __future__ import annotations

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.cifar import batches
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.images import standardised

CLASSES = 10
TRAIN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


class CIFAR10(Downloaded):
    """The official split, standardised per channel with the training pixels.

    Args:
        url: Where ``cifar-10-python.tar.gz`` or a copy of it lies (address or path).
        train_per_class: Training images of each class, the first ones; 0 takes all 5,000.
        test_per_class: Test images of each class, the first ones; 0 takes all 1,000.
    """

    sizes = (3 * 32 * 32, CLASSES)

    def __init__(
        self,
        *,
        url: str = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        super().__init__(url)
        self.train_per_class = train_per_class
        self.test_per_class = test_per_class

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 3, 32, 32) and int64 targets (n,) for train and test."""
        train = batches(raw, TRAIN, "labels")
        test = batches(raw, ("test_batch",), "labels")
        return standardised(
            train.first_of_each_class(self.train_per_class, CLASSES, "train"),
            test.first_of_each_class(self.test_per_class, CLASSES, "test"),
        )


DATASET = CIFAR10
