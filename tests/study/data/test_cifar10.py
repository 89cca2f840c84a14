"""CIFAR-10 from an archive of the official layout."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data import prepare
from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import (
    cifar_batch,
    random_pixels,
    standardised_oracle,
    tar,
    zipped,
)
from tests.study.data.server import Served

TRAIN = [f"data_batch_{number}" for number in range(1, 6)]
PIXELS = {
    name: random_pixels(20, 3, 32, 32, seed=seed)
    for seed, name in enumerate((*TRAIN, "test_batch"))
}
LABELS = [(7 * i) % 10 for i in range(20)]


def archive(**changes: bytes) -> bytes:
    files = {name: cifar_batch(pixels, b"labels", LABELS) for name, pixels in PIXELS.items()}
    # The official archive's order is not the batches' own.
    order = ["data_batch_4", "readme.html", "test_batch", *TRAIN[:3], TRAIN[4]]
    files |= {"readme.html": b"<html>", **changes}
    return tar({f"cifar-10-batches-py/{name}": files[name] for name in order})


def test_batches_are_joined_in_their_order_and_standardised_by_channel() -> None:
    found = load("data", "cifar10")().arrays(archive())
    train = np.concatenate([PIXELS[name] for name in TRAIN])
    assert found["train_inputs"].dtype == found["test_inputs"].dtype == np.float32
    assert np.allclose(found["train_inputs"], standardised_oracle(train, train), atol=1e-6)
    assert np.allclose(
        found["test_inputs"], standardised_oracle(train, PIXELS["test_batch"]), atol=1e-6
    )
    assert found["train_targets"].tolist() == LABELS * 5
    assert found["test_targets"].tolist() == LABELS
    assert found["train_targets"].dtype == np.int64


def test_a_subset_takes_the_first_images_of_each_class() -> None:
    found = load("data", "cifar10")(train_per_class=3, test_per_class=1).arrays(archive())
    train = np.concatenate([PIXELS[name] for name in TRAIN])
    kept = np.sort(
        np.concatenate([np.flatnonzero(np.array(LABELS * 5) == c)[:3] for c in range(10)])
    )
    assert np.allclose(
        found["train_inputs"], standardised_oracle(train[kept], train[kept]), atol=1e-6
    )
    assert found["test_targets"].tolist() == LABELS[:10]


def test_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="train_per_class is 11, but a class has 10 train images"):
        load("data", "cifar10")(train_per_class=11).arrays(archive())


def test_a_missing_batch_is_named() -> None:
    with pytest.raises(ValueError, match=r"lacks data_batch_1, data_batch_2, .*official python"):
        load("data", "cifar10")().arrays(zipped({"cifar-10-batches-py/test_batch": b""}))


@pytest.mark.parametrize(
    "batch",
    [
        cifar_batch(PIXELS["test_batch"], b"fine_labels", LABELS),
        cifar_batch(PIXELS["test_batch"], b"labels", LABELS[:-1]),
        cifar_batch(PIXELS["test_batch"][:, :2], b"labels", LABELS),
    ],
    ids=["other labels", "a label short", "two channels"],
)
def test_a_batch_of_something_else_is_refused(batch: bytes) -> None:
    with pytest.raises(ValueError, match="test_batch is not a batch of CIFAR images"):
        load("data", "cifar10")().arrays(archive(test_batch=batch))


def test_a_label_out_of_range_is_refused() -> None:
    batch = cifar_batch(PIXELS["test_batch"], b"labels", [*LABELS[:-1], 10])
    with pytest.raises(ValueError, match="test labels run from 0 to 10; there are 10 classes"):
        load("data", "cifar10")().arrays(archive(test_batch=batch))


def test_an_archive_from_a_server_is_prepared(server: Served) -> None:
    raw = archive()
    url = server.address("cifar-10-python.tar.gz", raw)
    prepare.prepare("c", "cifar10", hashlib.sha256(raw).hexdigest(), {"url": url})
    inputs = prepare.load_arrays("c")["train_inputs"]
    assert inputs.shape == (100, 3, 32, 32)
    assert load("data", "cifar10")().sizes == (inputs[0].size, 10)


def test_the_real_archive_has_its_classes_and_standardised_pixels(
    shared_data: Path, server: Served
) -> None:
    raw = (shared_data / "cifar-10-python-subset.tar.gz").read_bytes()
    made = load("data", "cifar10")(url=server.address("cifar-10-python.tar.gz", raw))
    found = made.arrays(made.read())
    assert np.bincount(found["train_targets"]).tolist() == [500] * 10
    assert np.bincount(found["test_targets"]).tolist() == [100] * 10
    train = found["train_inputs"].astype(np.float64)
    assert np.allclose(train.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    assert np.allclose(train.std(axis=(0, 2, 3)), 1, atol=1e-6)
