"""CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 × 32 pixels, 100 classes.

The official archive, 169 MB, has sha256
85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7.
"""

from __future__ import annotations

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.cifar import batches
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.images import standardised

CLASSES = 100
LABELS = "fine_labels"


class CIFAR100(Downloaded):
    """The official split with the 100 fine classes, standardised per channel.

    Args:
        url: Where ``cifar-100-python.tar.gz`` or a copy of it lies (address or path).
        train_per_class: Training images of each class, the first ones; 0 takes all 500.
        test_per_class: Test images of each class, the first ones; 0 takes all 100.
    """

    sizes = (3 * 32 * 32, CLASSES)

    def __init__(
        self,
        *,
        url: str = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        super().__init__(url)
        self.train_per_class = train_per_class
        self.test_per_class = test_per_class

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 3, 32, 32) and int64 targets (n,) for train and test."""
        train, test = batches(raw, ("train",), LABELS), batches(raw, ("test",), LABELS)
        return standardised(
            train.first_of_each_class(self.train_per_class, CLASSES, "train"),
            test.first_of_each_class(self.test_per_class, CLASSES, "test"),
        )


DATASET = CIFAR100
