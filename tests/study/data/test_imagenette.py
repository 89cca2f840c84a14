"""Imagenette from an archive of the official layout."""

from __future__ import annotations

import numpy as np
import pytest

from lrtransfer.study.data.imagenette import CLASSES
from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import image, random_pixels, tar
from tests.study.data.server import Served


def files() -> dict[str, bytes]:
    """Return two training images and one for validation of each class, of unequal sizes."""
    made = {"imagenette2-160/noisy_imagenette.csv": b"path,labels\n"}
    for number, name in enumerate(reversed(CLASSES)):
        for i, (part, shape) in enumerate(
            [("train", (20, 30, 3)), ("train", (25, 16)), ("val", (16, 16, 3))]
        ):
            pixels = random_pixels(*shape, seed=10 * number + i)
            made[f"imagenette2-160/{part}/{name}/{name}_{i}.JPEG"] = image(pixels, "JPEG")
    return made


def test_a_served_archive_becomes_square_images_of_ten_classes(server: Served) -> None:
    url = server.address("imagenette2-160.tgz", tar(files()))
    made = load("data", "imagenette")(url=url, image_size=16)
    found = made.arrays(made.read())
    assert found["train_inputs"].shape == (20, 3, 16, 16)
    assert found["test_inputs"].shape == (10, 3, 16, 16)
    assert found["train_targets"].tolist() == [c for c in range(9, -1, -1) for _ in range(2)]
    assert made.sizes == (3 * 16 * 16, 10)
    train = found["train_inputs"].astype(np.float64)
    assert np.allclose(train.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    assert np.allclose(train.std(axis=(0, 2, 3)), 1, atol=1e-6)


def test_a_subset_takes_the_first_images_of_each_class() -> None:
    one = load("data", "imagenette")(image_size=16, train_per_class=1).arrays(tar(files()))
    assert one["train_targets"].tolist() == list(range(9, -1, -1))


def test_images_beyond_the_subset_are_not_even_decoded() -> None:
    name = f"imagenette2-160/train/{CLASSES[0]}/{CLASSES[0]}_1.JPEG"
    damaged = tar(files() | {name: b"not an image"})
    found = load("data", "imagenette")(image_size=16, train_per_class=1).arrays(damaged)
    assert len(found["train_targets"]) == 10


def test_another_set_of_classes_is_refused() -> None:
    others = {name.replace("n0", "n9"): content for name, content in files().items()}
    with pytest.raises(ValueError, match="a class has 0 train images"):
        load("data", "imagenette")(image_size=16).arrays(tar(others))


def test_an_unreadable_image_is_named() -> None:
    name = f"imagenette2-160/val/{CLASSES[3]}/{CLASSES[3]}_2.JPEG"
    with pytest.raises(ValueError, match=rf"the image {name} cannot be read"):
        load("data", "imagenette")(image_size=16).arrays(tar(files() | {name: b""}))
