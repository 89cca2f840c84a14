"""CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 × 32 pixels, 100 classes.

The official archive, 169 MB, has sha256
85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7.
"""

from __future__ import annotations

from functools import partial

from lrtransfer.study.data.cifar import CIFAR

DATASET = partial(
    CIFAR,
    classes=100,
    labels="fine_labels",
    train=("train",),
    test="test",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
)
