"""MNIST's 5,000 images."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.catalog import load
from tests.tiny import real_params


@pytest.fixture(scope="module")
def raw() -> bytes:
    return load("data", "mnist5k")().read()


@pytest.fixture(scope="module")
def arrays(raw: bytes) -> Arrays:
    return load("data", "mnist5k")(test_per_class=100, split_seed=0).arrays(raw)


def test_the_source_has_the_pinned_checksum(raw: bytes) -> None:
    assert hashlib.sha256(raw).hexdigest() == real_params()["data"]["mnist5k"]["sha256"]


def test_each_digit_has_400_images_to_train_on_and_100_held_out(arrays: Arrays) -> None:
    assert arrays["train_inputs"].shape == (4000, 1, 28, 28)
    assert arrays["test_inputs"].shape == (1000, 1, 28, 28)
    assert np.bincount(arrays["train_targets"]).tolist() == [400] * 10
    assert np.bincount(arrays["test_targets"]).tolist() == [100] * 10
    assert arrays["train_inputs"].dtype == np.float32
    assert arrays["train_targets"].dtype == np.int64


def test_training_pixels_are_standardised_and_test_pixels_by_the_same_numbers(
    arrays: Arrays,
) -> None:
    train = arrays["train_inputs"].astype(np.float64)
    assert train.mean() == pytest.approx(0, abs=1e-6)
    assert train.std() == pytest.approx(1, abs=1e-6)
    # Black is the least value of both parts: one shift and one scale for all images.
    assert arrays["test_inputs"].min() == train.min().astype(np.float32)


def test_no_image_is_in_both_parts(arrays: Arrays) -> None:
    images = np.concatenate([arrays["train_inputs"], arrays["test_inputs"]]).reshape(5000, -1)
    assert len({image.tobytes() for image in images}) > 4990


def test_preparation_is_deterministic_and_the_seed_moves_the_split(
    arrays: Arrays, raw: bytes
) -> None:
    again = load("data", "mnist5k")().arrays(raw)
    assert all(np.array_equal(again[name], arrays[name]) for name in arrays)
    other = load("data", "mnist5k")(split_seed=1).arrays(raw)
    assert not np.array_equal(other["test_inputs"], arrays["test_inputs"])


@pytest.mark.parametrize("number", [-1, 500])
def test_an_impossible_split_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"test_per_class is {number}.*Give 0 to 499"):
        load("data", "mnist5k")(test_per_class=number)
