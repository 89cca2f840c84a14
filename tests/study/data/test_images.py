"""Images: decoded, cut, standardised."""

from __future__ import annotations

import numpy as np
import pytest

from lrtransfer.study.data.images import Collector, Labelled, decoded, standardised
from tests.study.data.packing import image, random_pixels, standardised_oracle


def test_standardising_agrees_with_float64_over_more_images_than_are_counted_at_once() -> None:
    train = Labelled(random_pixels(1500, 2, 3, 3), np.zeros(1500, dtype=np.int64))
    test = Labelled(random_pixels(4, 2, 3, 3, seed=1), np.zeros(4, dtype=np.int64))
    found = standardised(train, test)
    for part, images in (("train", train), ("test", test)):
        oracle = standardised_oracle(train.pixels, images.pixels)
        assert np.abs(found[f"{part}_inputs"] - oracle).max() < 2e-7
        assert found[f"{part}_inputs"].dtype == np.float32


def test_a_constant_channel_is_refused() -> None:
    pixels = random_pixels(4, 3, 2, 2)
    pixels[:, 1] = 7
    images = Labelled(pixels, np.zeros(4, dtype=np.int64))
    with pytest.raises(ValueError, match="channel 1 is constant over the training images"):
        standardised(images, images)


def test_an_image_of_the_right_size_keeps_its_pixels() -> None:
    pixels = random_pixels(8, 8, 3)
    assert np.array_equal(decoded(image(pixels), "x.png", 8), pixels.transpose(2, 0, 1))


def test_a_grey_image_becomes_three_equal_channels() -> None:
    pixels = random_pixels(8, 8)
    assert np.array_equal(decoded(image(pixels), "x.png", 8), np.stack([pixels] * 3))


def test_the_shorter_side_is_scaled_and_the_middle_kept() -> None:
    left, middle, right = (np.full((8, 8, 3), value, np.uint8) for value in (0, 100, 255))
    wide = np.concatenate([left, middle, right], axis=1)
    assert (decoded(image(wide), "x.png", 8) == 100).all()
    tall = wide.transpose(1, 0, 2)
    found = decoded(image(tall), "x.png", 4)
    assert found.shape == (3, 4, 4)
    assert (found[:, 1:3] == 100).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_unreadable_image_is_named(kind: str) -> None:
    content = image(random_pixels(40, 40, 3), kind)
    for damaged in (b"", b"not an image", content[: len(content) // 2]):
        with pytest.raises(ValueError, match=r"the image cats/tom\.png cannot be read .*Replace"):
            decoded(damaged, "cats/tom.png", 8)


def test_a_collector_keeps_the_first_of_each_class_and_no_foreign_class() -> None:
    made = Collector(["b", "a"], 2, 1, "train")
    for name in ("a", "b"):
        assert made.takes(name)
        made.add(image(random_pixels(2, 2)), name, name)
        assert not made.takes(name)
    assert not made.takes("c")
    assert made.labelled().labels.tolist() == [1, 0]


def test_a_class_without_images_is_refused() -> None:
    made = Collector(["a", "b"], 2, 0, "test")
    with pytest.raises(ValueError, match="a class has 0 test images"):
        made.labelled()
    with pytest.raises(ValueError, match="image_size is 0"):
        Collector(["a"], 0, 0, "test")
