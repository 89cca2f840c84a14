"""A user's folder of class folders, ImageNet's own layout among them.

What params.yaml pins is the sha256 of the listing of the image files that are used: one line
`<sha256>  <path>` each, paths relative to the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.checksums import checked_content, entries, listing
from lrtransfer.study.data.images import SUFFIXES, Collector, Labelled, standardised


@dataclass(frozen=True)
class _Part:
    """Files of one part: class name -> image files in the order in which they are used."""

    name: str
    per_class: int
    files: dict[str, list[Path]]


class ImageFolder:
    """Square images, standardised per channel with the training pixels.

    Classes are numbered in the alphabetical order of their folders. Files with other endings than
    those of images, and hidden ones, are passed over.

    Args:
        path: The folder.
        classes: Number of class folders; a network needs it before the folder is read.
        layout: `split`: the folder holds a training and a test folder of class folders.
            `flat`: it holds the class folders, and a share of each class is held out.
        train_folder: Name of the training folder (`split`).
        test_folder: Name of the test folder (`split`).
        test_fraction: Share of each class that is held out (`flat`, between 0 and 1).
        split_seed: Seed of the choice of held-out images (`flat`).
        image_size: Height and width (pixels): the shorter side is scaled, the middle kept.
        train_per_class: Training images of each class, the first by name; 0 takes all.
        test_per_class: Test images of each class, the first by name; 0 takes all.
    """

    def __init__(
        self,
        *,
        path: str,
        classes: int,
        layout: Literal["split", "flat"] = "split",
        train_folder: str = "train",
        test_folder: str = "val",
        test_fraction: float = 0.1,
        split_seed: int = 0,
        image_size: int = 64,
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        if classes < 2:
            raise ValueError(f"classes is {classes}; a classification needs 2 or more folders.")
        if not 0 < test_fraction < 1:
            raise ValueError(f"test_fraction is {test_fraction}. Give a share between 0 and 1.")
        self.path = Path(path).expanduser()
        self.sizes = (3 * image_size * image_size, classes)
        self.layout = layout
        self.train_folder, self.test_folder = train_folder, test_folder
        self.test_fraction, self.split_seed = test_fraction, split_seed
        self.image_size = image_size
        self.train_per_class, self.test_per_class = train_per_class, test_per_class

    def read(self) -> bytes:
        """Return the listing of all files that are used.

        Raises:
            ValueError: The folder is missing, has one class or another number than `classes`,
                or a class has no image.
        """
        chosen = (file for part in self._parts() for files in part.files.values() for file in files)
        return listing({self._name(file): file for file in sorted(chosen)})

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 3, size, size) and int64 targets (n,) for train and test.

        Args:
            raw: The listing; every file is checked against it.

        Raises:
            ValueError: A file changed since it was listed, or is no image.
        """
        digests = entries(raw)
        train, test = (self._decoded(part, digests) for part in self._parts())
        return standardised(train, test)

    def _name(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix()

    def _decoded(self, part: _Part, digests: dict[str, str]) -> Labelled:
        collector = Collector(list(part.files), self.image_size, part.per_class, part.name)
        for class_name, files in part.files.items():
            for file in files:
                name = self._name(file)
                collector.add(checked_content(file, name, digests.get(name, "")), name, class_name)
        return collector.labelled()

    def _parts(self) -> tuple[_Part, _Part]:
        if self.layout == "split":
            train = self._class_files(self.path / self.train_folder)
            test = self._class_files(self.path / self.test_folder)
            if train.keys() != test.keys():
                odd = sorted(train.keys() ^ test.keys())[0]
                raise ValueError(
                    f"the class {odd!r} of {self.path} is in one of {self.train_folder} and "
                    f"{self.test_folder} only. Give both the same class folders."
                )
        else:
            train, test = self._split(self._class_files(self.path))
        return (
            _Part("train", self.train_per_class, _first(train, self.train_per_class)),
            _Part("test", self.test_per_class, _first(test, self.test_per_class)),
        )

    def _split(
        self, files: dict[str, list[Path]]
    ) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        """Return the files of each class in two parts, both in the order of their names."""
        random = np.random.default_rng(self.split_seed)
        train: dict[str, list[Path]] = {}
        test: dict[str, list[Path]] = {}
        for name, of_class in files.items():
            held_out = set(random.permutation(len(of_class))[: self._held_out(of_class)].tolist())
            train[name] = [f for i, f in enumerate(of_class) if i not in held_out]
            test[name] = [f for i, f in enumerate(of_class) if i in held_out]
        return train, test

    def _held_out(self, files: list[Path]) -> int:
        if len(files) < 2:
            raise ValueError(
                f"{files[0].parent} holds one image; one to train on and one held out are needed. "
                "Add images or take the folder out."
            )
        return min(max(round(self.test_fraction * len(files)), 1), len(files) - 1)

    def _class_files(self, folder: Path) -> dict[str, list[Path]]:
        """Return {class name: image files}, both sorted by name."""
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}. Correct path, layout or folder names.")
        found = sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
        classes = self.sizes[1]
        if len(found) != classes:
            raise ValueError(
                f"{folder} holds {len(found)} class folder{'' if len(found) == 1 else 's'}, but "
                f"classes is {classes}. A classification needs 2 or more; correct path or classes."
            )
        files = {each.name: _images(each) for each in found}
        for name, of_class in files.items():
            if not of_class:
                raise ValueError(f"{folder / name} holds no image. Add some or take it out.")
        return files


def _images(folder: Path) -> list[Path]:
    found = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )
    # A pipe would be waited for.
    if odd := next((file for file in found if not file.is_file()), None):
        raise ValueError(f"{odd} has an image's name but is no file. Take it out.")
    return found


def _first(files: dict[str, list[Path]], number: int) -> dict[str, list[Path]]:
    return {name: of_class[: number or None] for name, of_class in files.items()}


DATASET = ImageFolder
