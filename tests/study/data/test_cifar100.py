"""CIFAR-100 from an archive of the official layout."""

from __future__ import annotations

import numpy as np
import pytest

from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import cifar_batch, random_pixels, standardised_oracle, tar
from tests.study.data.server import Served

FINE = [(37 * i) % 100 for i in range(200)]
TRAIN, TEST = random_pixels(200, 3, 32, 32, seed=1), random_pixels(100, 3, 32, 32, seed=2)


def archive(label_key: bytes = b"fine_labels") -> bytes:
    files = {
        "meta": b"not read",
        "test": cifar_batch(TEST, label_key, FINE[:100]),
        "train": cifar_batch(TRAIN, label_key, FINE),
    }
    return tar({f"cifar-100-python/{name}": content for name, content in files.items()})


def test_a_served_archive_gives_the_fine_classes(server: Served) -> None:
    made = load("data", "cifar100")(url=server.address("cifar-100-python.tar.gz", archive()))
    found = made.arrays(made.read())
    assert np.allclose(found["train_inputs"], standardised_oracle(TRAIN, TRAIN), atol=1e-6)
    assert np.allclose(found["test_inputs"], standardised_oracle(TRAIN, TEST), atol=1e-6)
    assert found["train_targets"].tolist() == FINE
    assert made.sizes == (3072, 100)


def test_a_subset_takes_the_first_images_of_each_class() -> None:
    found = load("data", "cifar100")(train_per_class=1).arrays(archive())
    assert found["train_targets"].tolist() == FINE[:100]


def test_coarse_labels_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="train is not a batch of CIFAR images"):
        load("data", "cifar100")().arrays(archive(b"coarse_labels"))
