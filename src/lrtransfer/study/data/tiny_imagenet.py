"""Tiny-ImageNet (Le and Yang, 2015): 100,000 + 10,000 images of 64 × 64 pixels, 200 classes.

The official archive, 248 MB, has sha256
6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.archives import members
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.images import Collector, standardised

CLASSES = 200
NAMES = "tiny-imagenet-200/wnids.txt"
ANNOTATIONS = "tiny-imagenet-200/val/val_annotations.txt"


class TinyImageNet(Downloaded):
    """The training part and, for testing, the validation part (the test part has no labels).

    Args:
        url: Where `tiny-imagenet-200.zip` or a copy of it lies (address or path).
        image_size: Height and width (pixels); 64 keeps the images as they are.
        train_per_class: Training images of each class, the first of the archive; 0 takes all 500.
        test_per_class: Test images of each class, the first of the archive; 0 takes all 50.
    """

    def __init__(
        self,
        *,
        url: str = "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
        image_size: int = 64,
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        super().__init__(url=url)
        self.sizes = (3 * image_size * image_size, CLASSES)
        self.image_size = image_size
        self.train_per_class = train_per_class
        self.test_per_class = test_per_class

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 3, size, size) and int64 targets (n,) for train and test.

        Classes are numbered in the alphabetical order of their WordNet names.

        Raises:
            ValueError: The archive is damaged or not this data set's, or an image cannot be read.
        """
        classes, labels = _annotations(raw)
        parts = {
            "train": Collector(classes, self.image_size, self.train_per_class, "train"),
            "val": Collector(classes, self.image_size, self.test_per_class, "test"),
        }

        def place(path: str) -> tuple[str, str]:
            """Return part and class of a member; empty names where it is no labelled image."""
            match PurePosixPath(path).parts:
                case ("tiny-imagenet-200", "train", class_name, "images", _):
                    return "train", class_name
                case ("tiny-imagenet-200", "val", "images", name):
                    return "val", labels.get(name, "")
            return "", ""

        def wanted(path: str) -> bool:
            part, class_name = place(path)
            return part in parts and parts[part].takes(class_name)

        for path, content in members(raw, wanted):
            part, class_name = place(path)
            parts[part].add(content, path, class_name)
        return standardised(parts["train"].labelled(), parts["val"].labelled())


def _annotations(raw: bytes) -> tuple[list[str], dict[str, str]]:
    """Return the sorted class names, and {file name: class name} of the validation images."""
    texts = dict(members(raw, lambda path: path in (NAMES, ANNOTATIONS)))
    if texts.keys() != {NAMES, ANNOTATIONS}:
        raise ValueError(
            f"the archive lacks {NAMES} or {ANNOTATIONS}. Give the url of the official archive."
        )
    classes = sorted(texts[NAMES].decode("ascii").split())
    if len(set(classes)) != CLASSES:
        raise ValueError(
            f"{NAMES} names {len(set(classes))} classes, not {CLASSES}. "
            "Give the url of the official archive."
        )
    # File name, class name and a bounding box, separated by tabs.
    rows = (line.split("\t") for line in texts[ANNOTATIONS].decode("ascii").splitlines())
    return classes, {row[0]: row[1] for row in rows}


DATASET = TinyImageNet
