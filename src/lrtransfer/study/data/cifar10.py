"""CIFAR-10 (Krizhevsky, 2009): 50,000 + 10,000 colour images of 32 × 32 pixels, 10 classes.

The official archive, 170 MB, has sha256
6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce.
"""

from __future__ import annotations

from functools import partial

from lrtransfer.study.data.cifar import CIFAR

DATASET = partial(
    CIFAR,
    classes=10,
    labels="labels",
    train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
    test="test_batch",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
)
