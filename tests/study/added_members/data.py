"""Gaussian blobs around one centre per class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lrtransfer.study.data import Arrays


@dataclass(kw_only=True)
class Blobs:
    """Three classes in six dimensions.

    Args:
        samples: Number of samples, to train and to test on.
    """

    samples: int = 40
    sizes = (6, 3)

    def read(self) -> bytes:
        """Return the name of the recipe."""
        return b"blobs"

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 6) and int64 targets (n,) for train and test."""
        random = np.random.default_rng(0)
        centres = random.normal(size=(3, 6))
        targets = np.arange(self.samples, dtype=np.int64) % 3
        inputs = centres[targets] + 0.3 * random.normal(size=(self.samples, 6))
        part: Arrays = {"inputs": inputs.astype(np.float32), "targets": targets}
        return {f"{p}_{k}": array for p in ("train", "test") for k, array in part.items()}


DATASET = Blobs
