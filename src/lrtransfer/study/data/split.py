"""Inputs and targets of one table: some rows held out, numbers standardised."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrtransfer.study.data import Arrays

Array = np.ndarray[Any, Any]


def train_and_test(
    inputs: Array, targets: Array, *, test_fraction: float, seed: int, standardise: bool, name: str
) -> Arrays:
    """Return float32 inputs and targets (int64 classes, or float32 numbers) for train and test.

    Args:
        inputs: Shape (n, …).
        targets: Shape (n,) or (n, C): whole numbers and text are classes, numbered in their
            order; others are numbers to be fitted, made (n, 1) if they are (n,).
        test_fraction: Share of the rows that is held out (between 0 and 1).
        seed: Of their choice.
        standardise: Shift and scale each input, and each target that is a number, by the mean and
            deviation of its training rows.
        name: The file, for the error message.

    Raises:
        ValueError: Rows do not fit, are too few, or hold what is no finite number.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction is {test_fraction}. Give a share between 0 and 1.")
    rows = len(inputs)
    held_out = round(test_fraction * rows)
    if len(targets) != rows or not 0 < held_out < rows:
        raise ValueError(
            f"{name} has {rows} rows of inputs and {len(targets)} of targets. Give as many of "
            "both, and enough to hold some out."
        )
    inputs = inputs.astype(np.float32)
    classes = targets.ndim == 1 and targets.dtype.kind not in "fc"
    if targets.dtype.kind == "O":
        # Only NaN, which is how pandas reads an empty cell, is unequal to itself.
        empty = [row for row, t in enumerate(targets) if t is None or t != t]  # noqa: PLR0124
        if empty:
            raise ValueError(
                f"{name}: row {empty[0]} of the targets (from 0) is empty. Take it out."
            )
    targets = _numbered(targets) if classes else targets.reshape(rows, -1).astype(np.float32)
    for what, array in (("inputs", inputs), ("targets", targets)):
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array.reshape(rows, -1)).all(1))[0, 0])
            raise ValueError(
                f"{name}: row {row} of the {what} (from 0) holds no number. Take it out."
            )
    order = np.random.default_rng(seed).permutation(rows)
    train, test = np.sort(order[held_out:]), np.sort(order[:held_out])
    if standardise:
        inputs = _standardised(inputs, train)
        targets = targets if classes else _standardised(targets, train)
    return {
        "train_inputs": inputs[train],
        "train_targets": targets[train],
        "test_inputs": inputs[test],
        "test_targets": targets[test],
    }


def _numbered(targets: Array) -> Array:
    numbers: Array = np.unique(targets, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return numbers


def _standardised(values: Array, train: Array) -> Array:
    """Return the values less the training mean, over the deviation; a constant one becomes 0."""
    chosen = values[train].astype(np.float64)
    deviation = chosen.std(axis=0)
    scaled = (values - chosen.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    found: Array = scaled.astype(np.float32)
    return found
