"""Arrays as a network can be trained on them, or what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lrtransfer.study.data import Arrays

Array = np.ndarray[Any, Any]

# Names of a part's inputs: tokens need no targets, paths are those of `image_files`.
_INPUTS = ("tokens", "inputs", "paths")


def trainable(arrays: Arrays, name: str) -> Arrays:
    """Return arrays with classes as int64, and other numbers that are no whole ones as float32.

    Args:
        arrays: `train_inputs` (n, …) and `train_targets`, classes (n,) or numbers (n, C); or
            `train_tokens` (n,); and the same with `test_`.
        name: What they are of, for the error message.

    Raises:
        ValueError: One is missing, of another form, or holds what cannot be trained on.
    """
    if (fault := next(_faults(arrays), None)) is not None:
        raise ValueError(f"{name}: {fault}")
    return {key: array.astype(_dtype(key, array), copy=False) for key, array in arrays.items()}


def sizes_of(arrays: Arrays) -> tuple[int, int]:
    """Return what a trained network finds: numbers per sample, and outputs."""
    if "vocabulary" in arrays:
        return 1, int(arrays["vocabulary"][0])
    if "train_tokens" in arrays:
        tokens = [array for name, array in arrays.items() if name.endswith("_tokens")]
        is_bytes = arrays["train_tokens"].dtype == np.uint8
        return 1, 256 if is_bytes else 1 + max(int(stream.max()) for stream in tokens)
    targets = arrays["train_targets"]
    if "train_paths" in arrays:
        numbers = 3 * int(arrays["image_size"][0]) ** 2
    else:
        numbers = math.prod(arrays["train_inputs"].shape[1:])
    return numbers, targets.shape[-1] if targets.dtype.kind == "f" else int(targets.max()) + 1


def _dtype(key: str, array: Array) -> np.dtype[Any]:
    if key.endswith(("_inputs", "_targets")) and array.dtype.kind == "f":
        return np.dtype(np.float32)
    return np.dtype(np.int64) if key.endswith("_targets") else array.dtype


def _faults(arrays: Arrays) -> Iterator[str]:
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):
            yield f"{key} is a {type(array).__name__}. Make it an array of numpy's."
        elif array.dtype.kind not in "fiub":
            yield f"{key} is {_form(array)}. Give numbers, or take it out."
    kind = next((kind for kind in _INPUTS if f"train_{kind}" in arrays), None)
    if kind is None:
        yield (
            f"holds {', '.join(sorted(map(str, arrays))) or 'nothing'}. Give train_inputs and "
            "train_targets, or train_tokens."
        )
    for part in ("train", "test"):
        own = [f"{part}_{what}" for what in ([kind] if kind == "tokens" else [kind, "targets"])]
        missing = [key for key in own if key not in arrays]
        if part == "train" or len(missing) < len(own):
            yield from (f"{key} is missing. Give it too." for key in missing)
            yield from _of_part(arrays, own)


def _of_part(arrays: Arrays, names: list[str]) -> Iterator[str]:
    """Yield the faults of a part: its inputs, then its targets where it has any."""
    for key in names:
        array = arrays[key]
        if array.ndim == 0 or not len(array):
            yield f"{key} is empty. Give one row a sample."
        of = {"tokens": _of_tokens, "inputs": _of_inputs, "targets": _of_targets}
        check = of.get(key.partition("_")[2])
        yield from check(key, array) if check is not None else ()
    rows = [len(arrays[key]) for key in names]
    if len(set(rows)) > 1:
        yield f"{names[0]} has {rows[0]} rows and {names[1]} {rows[1]}. Give as many of both."


def _of_tokens(key: str, array: Array) -> Iterator[str]:
    if array.ndim > 1 or array.dtype.kind not in "iu":
        yield f"{key} is {_form(array)}. Give whole numbers, one after another: (n,)."
    yield from _below_zero(key, array, "token")


def _of_inputs(key: str, array: Array) -> Iterator[str]:
    if array.ndim == 1:
        yield f"{key} is {_form(array)}. Give one row a sample: (n, 1) of a single number."
    yield from _no_number(key, array)


def _of_targets(key: str, array: Array) -> Iterator[str]:
    if array.ndim != (2 if array.dtype.kind == "f" else 1):
        yield (
            f"{key} is {_form(array)}. Give classes as whole numbers, (n,), or numbers to be "
            "fitted as floats, (n, C)."
        )
    yield from _no_number(key, array)
    yield from _below_zero(key, array, "class")


def _no_number(key: str, array: Array) -> Iterator[str]:
    """Look for what is not finite in the precision that is trained in."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32, copy=False)).reshape(len(array), -1)
        if not finite.all():
            row = int(np.argmin(finite.all(1)))
            yield f"row {row} of {key} (from 0) holds no finite number. Take it out."


def _below_zero(key: str, array: Array, what: str) -> Iterator[str]:
    if array.dtype.kind == "i" and array.min() < 0:
        row = int(np.argmax(array < 0))
        yield f"row {row} of {key} (from 0) is the {what} {array[row]}. Count from 0."


def _form(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"
