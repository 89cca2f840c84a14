"""The regression of Noci et al. (2024), §5: a constant vector w* from D orthogonal inputs."""

from __future__ import annotations

import json
import math

import numpy as np

from lrtransfer.study.data import Arrays

_RECIPE = {
    "inputs": "sqrt(dimension) * identity",
    "targets": "sqrt(dimension) * target",
    "test": "the same as train",
}


class LinearTarget:
    """The D inputs √D·e_i with targets √D·w*, w* a constant vector.

    For f(x) = x·w the mean over samples of ½(f − y)² is ½‖w − w*‖², the loss of the theory, whose
    inputs are the identity. Exact in float32 where D is a square number.

    Args:
        dimension: Number of inputs and of samples D (1 or more).
        target: Every entry of w*.

    Raises:
        ValueError: `dimension` is below 1, or `target` is not finite.
    """

    def __init__(self, *, dimension: int = 100, target: float = 1.0) -> None:
        if dimension < 1:
            raise ValueError(f"dimension is {dimension}. Give a whole number of at least 1.")
        if not math.isfinite(target):
            raise ValueError(f"target is {target}. Give a finite number.")
        self.dimension = dimension
        self.target = target
        self.sizes = (dimension, 1)

    def read(self) -> bytes:
        """Return the recipe of the arrays as canonical JSON, the same for all options."""
        return json.dumps(_RECIPE, sort_keys=True, separators=(",", ":")).encode("ascii")

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (D, D) and targets (D, 1), the same to train and to test on.

        Raises:
            ValueError: `raw` is not the recipe that this code follows.
        """
        if raw != self.read():
            raise ValueError("this is not the recipe of linear_target; pass on what read() returns")
        root = math.sqrt(self.dimension)
        inputs = (root * np.eye(self.dimension)).astype(np.float32)
        targets = np.full((self.dimension, 1), root * self.target, dtype=np.float32)
        return {
            "train_inputs": inputs,
            "train_targets": targets,
            "test_inputs": inputs.copy(),
            "test_targets": targets.copy(),
        }


DATASET = LinearTarget
