"""Tiny-ImageNet from an archive of the official layout."""

from __future__ import annotations

import numpy as np
import pytest

from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import image, random_pixels, standardised_oracle, zipped
from tests.study.data.server import Served

ROOT = "tiny-imagenet-200"
NAMES = [f"n{10_000_000 + (77 * i) % 200}" for i in range(200)]  # not in alphabetical order


def pixels(number: int, seed: int) -> np.ndarray:
    return random_pixels(4, 4, 3, seed=1000 * seed + number)


def files() -> dict[str, bytes]:
    """Return one training and one validation image of each class, stored without loss."""
    made = {f"{ROOT}/wnids.txt": "\n".join(NAMES).encode() + b"\n"}
    rows = []
    for i, name in enumerate(NAMES):
        made[f"{ROOT}/train/{name}/{name}_boxes.txt"] = b"0\t0\t63\t63\n"
        made[f"{ROOT}/train/{name}/images/{name}_0.JPEG"] = image(pixels(i, 0))
        made[f"{ROOT}/val/images/val_{i}.JPEG"] = image(pixels(i, 1))
        made[f"{ROOT}/test/images/test_{i}.JPEG"] = b"has no label, is not read"
        rows.append(f"val_{i}.JPEG\t{name}\t0\t32\t44\t62\n")
    return made | {f"{ROOT}/val/val_annotations.txt": "".join(rows).encode()}


def test_a_served_archive_pairs_each_image_with_its_class(server: Served) -> None:
    made = load("data", "tiny_imagenet")(
        url=server.address("tiny.zip", zipped(files())), image_size=4
    )
    found = made.arrays(made.read())
    train = np.stack([pixels(i, 0) for i in range(200)]).transpose(0, 3, 1, 2)
    test = np.stack([pixels(i, 1) for i in range(200)]).transpose(0, 3, 1, 2)
    assert np.allclose(found["train_inputs"], standardised_oracle(train, train), atol=1e-6)
    assert np.allclose(found["test_inputs"], standardised_oracle(train, test), atol=1e-6)
    expected = [(77 * i) % 200 for i in range(200)]
    assert found["train_targets"].tolist() == found["test_targets"].tolist() == expected
    assert made.sizes == (48, 200)


def test_an_archive_of_another_layout_is_refused() -> None:
    made = load("data", "tiny_imagenet")()
    with pytest.raises(ValueError, match=r"lacks .*wnids.txt or .*official archive"):
        made.arrays(zipped({"train/x.JPEG": b""}))
    with pytest.raises(ValueError, match=r"names 199 classes, not 200"):
        made.arrays(zipped(files() | {f"{ROOT}/wnids.txt": "\n".join(NAMES[1:]).encode()}))


def test_a_class_without_images_is_refused() -> None:
    made = {name: content for name, content in files().items() if "val_7." not in name}
    with pytest.raises(ValueError, match="a class has 0 test images"):
        load("data", "tiny_imagenet")(image_size=4).arrays(zipped(made))
