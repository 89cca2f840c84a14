"""Pickles read without running them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data.pickles import load
from tests.study.data.packing import cifar_batch, modern_batch, random_pixels


@pytest.mark.parametrize("batch", [cifar_batch, modern_batch])
def test_batches_of_python_2_and_3_are_read(batch) -> None:  # type: ignore[no-untyped-def]
    pixels = random_pixels(3, 3, 32, 32)
    content = load(batch(pixels, b"labels", [2, 0, 1]))
    assert content["labels"] == [2, 0, 1]
    assert content["data"].dtype == np.uint8
    assert np.array_equal(content["data"].reshape(pixels.shape), pixels)


def test_an_array_in_column_order_keeps_its_values() -> None:
    rows = np.asfortranarray(random_pixels(4, 6))
    assert np.array_equal(load(pickle.dumps({b"data": rows}, protocol=2))["data"], rows)


class _Runs:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "named"),
    [(os.mkdir, "mkdir"), (eval, "eval"), (getattr, "getattr"), (np.load, "load")],
)
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(
    tmp_path: Path, protocol: int, function: object, named: str
) -> None:
    made = tmp_path / "made"
    raw = pickle.dumps({b"data": _Runs(function, str(made))}, protocol=protocol)
    with pytest.raises(ValueError, match=rf"cannot be read: it names .*{named}"):
        load(raw)
    assert not made.exists()


@pytest.mark.parametrize("dtype", ["O", "f8", "i1"])
def test_arrays_of_other_than_unsigned_bytes_are_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match="do not belong in these files"):
        load(pickle.dumps({b"data": np.zeros(3, dtype=dtype)}, protocol=2))


def test_damage_and_other_contents_are_refused() -> None:
    raw = modern_batch(random_pixels(1, 3, 32, 32), b"labels", [0])
    for content in (b"", raw[:-100], pickle.dumps([1])):
        with pytest.raises(ValueError, match="a pickled batch cannot be read"):
            load(content)
