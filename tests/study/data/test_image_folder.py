"""A folder of class folders."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from lrtransfer.study.data import prepare
from lrtransfer.study.plan.catalog import load
from tests.study.data.packing import image, random_pixels, standardised_oracle


def fill(folder: Path, images: int, seed: int = 0) -> list[np.ndarray]:
    """Write numbered images and return their pixels."""
    folder.mkdir(parents=True)
    pixels = [random_pixels(6, 6, 3, seed=100 * seed + i) for i in range(images)]
    for i, each in enumerate(pixels):
        (folder / f"{i}.png").write_bytes(image(each))
    return pixels


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A folder of ImageNet's layout: 3 + 2 images of each of two classes."""
    for seed, (part, name) in enumerate(
        [("train", "cat"), ("train", "dog"), ("val", "cat"), ("val", "dog")]
    ):
        fill(tmp_path / "images" / part / name, 3 if part == "train" else 2, seed)
    (tmp_path / "images" / "train" / "cat" / "readme.txt").write_text("not an image")
    return tmp_path / "images"


def test_classes_are_the_folders_in_alphabetical_order(
    split: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"path": str(split), "classes": 2, "image_size": 6}
    pinned = hashlib.sha256(load("data", "image_folder")(**options).read()).hexdigest()
    prepare.prepare("i", "image_folder", pinned, options)
    found = prepare.load_arrays("i")
    train = np.stack([random_pixels(6, 6, 3, seed=s) for s in (0, 1, 2, 100, 101, 102)])
    test = np.stack([random_pixels(6, 6, 3, seed=s) for s in (200, 201, 300, 301)])
    train, test = train.transpose(0, 3, 1, 2), test.transpose(0, 3, 1, 2)
    assert np.allclose(found["train_inputs"], standardised_oracle(train, train), atol=1e-6)
    assert np.allclose(found["test_inputs"], standardised_oracle(train, test), atol=1e-6)
    assert found["train_targets"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found["test_targets"].tolist() == [0, 0, 1, 1]
    assert load("data", "image_folder")(**options).sizes == (found["train_inputs"][0].size, 2)


def test_what_is_pinned_is_the_listing_that_sha256sum_prints(split: Path) -> None:
    lines = load("data", "image_folder")(path=str(split), classes=2).read().decode().splitlines()
    assert len(lines) == 10
    digest = hashlib.sha256((split / "train" / "cat" / "0.png").read_bytes()).hexdigest()
    assert lines[0] == f"{digest}  train/cat/0.png"


def test_only_the_files_that_are_used_are_pinned(split: Path) -> None:
    made = load("data", "image_folder")(
        path=str(split), classes=2, train_per_class=1, test_per_class=1
    )
    names = [line.split("  ")[1] for line in made.read().decode().splitlines()]
    assert names == [f"{part}/{name}/0.png" for part in ("train", "val") for name in ("cat", "dog")]
    assert made.arrays(made.read())["train_targets"].tolist() == [0, 1]


def test_a_flat_folder_holds_out_a_share_of_each_class(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        fill(tmp_path / name, 10, seed)
    options = {"path": str(tmp_path), "classes": 3, "layout": "flat", "image_size": 6}
    made = load("data", "image_folder")(**options, test_fraction=0.2)
    found = made.arrays(made.read())
    assert np.bincount(found["train_targets"]).tolist() == [8, 8, 8]
    assert np.bincount(found["test_targets"]).tolist() == [2, 2, 2]
    images = np.concatenate([found["train_inputs"], found["test_inputs"]])
    assert len({each.tobytes() for each in images}) == 30
    other = load("data", "image_folder")(**options, test_fraction=0.2, split_seed=1)
    assert other.read() == made.read()
    assert not np.array_equal(other.arrays(made.read())["test_inputs"], found["test_inputs"])


def test_a_file_that_changes_or_appears_after_the_listing_is_noticed(split: Path) -> None:
    made = load("data", "image_folder")(path=str(split), classes=2)
    raw = made.read()
    (split / "val" / "dog" / "new.png").write_bytes(image(random_pixels(6, 6, 3)))
    with pytest.raises(ValueError, match=r"val/dog/new.png changed"):
        made.arrays(raw)


def test_an_unreadable_image_is_named(split: Path) -> None:
    (split / "train" / "dog" / "1.png").write_bytes(b"not an image")
    made = load("data", "image_folder")(path=str(split), classes=2)
    with pytest.raises(ValueError, match=r"the image train/dog/1.png cannot be read"):
        made.arrays(made.read())


def test_a_folder_with_one_class_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "only", 3)
    with pytest.raises(ValueError, match=r"holds 1 class folder, but classes is 2.*2 or more"):
        load("data", "image_folder")(path=str(tmp_path), classes=2, layout="flat").read()
    with pytest.raises(ValueError, match="classes is 1; a classification needs 2"):
        load("data", "image_folder")(path=str(tmp_path), classes=1)


def test_a_missing_folder_an_empty_class_and_unequal_classes_are_named(split: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no folder .*/test\. Correct"):
        load("data", "image_folder")(path=str(split), classes=2, test_folder="test").read()
    (split / "val" / "dog").rename(split / "val" / "eel")
    with pytest.raises(ValueError, match=r"the class 'dog' .*same class folders"):
        load("data", "image_folder")(path=str(split), classes=2).read()
    for file in (split / "val" / "eel").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"val/eel holds no image"):
        load("data", "image_folder")(path=str(split), classes=2).read()


def test_a_class_of_one_image_cannot_be_split(tmp_path: Path) -> None:
    fill(tmp_path / "a", 3)
    fill(tmp_path / "b", 1)
    with pytest.raises(ValueError, match=r"/b holds one image"):
        load("data", "image_folder")(path=str(tmp_path), classes=2, layout="flat").read()


def test_too_few_images_of_a_class_are_refused(split: Path) -> None:
    made = load("data", "image_folder")(path=str(split), classes=2, train_per_class=4)
    with pytest.raises(ValueError, match="train_per_class is 4, but a class has 3 train images"):
        made.arrays(made.read())


@pytest.mark.parametrize("name", ["odd\udcff.png", "pipe.png"])
def test_a_pipe_and_a_name_of_other_bytes_are_refused_by_name(split: Path, name: str) -> None:
    path = split / "train" / "cat" / name
    os.mkfifo(path) if name == "pipe.png" else path.write_bytes(image(random_pixels(6, 6, 3)))
    with pytest.raises(ValueError, match=r"pipe\.png has an image's name|'.*odd.*' is not UTF-8"):
        load("data", "image_folder")(path=str(split), classes=2).read()
