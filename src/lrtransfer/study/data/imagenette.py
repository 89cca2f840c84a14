"""Imagenette (Howard, 2019): 9,469 + 3,925 photographs of ten easily told ImageNet classes.

The official archive with a shorter side of 160 pixels, 99 MB, has sha256
64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.archives import members
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.images import SUFFIXES, Collector, standardised

# Tench, English springer, cassette player, chain saw, church, French horn, garbage truck,
# gas pump, golf ball, parachute.
CLASSES = (
    "n01440764",
    "n02102040",
    "n02979186",
    "n03000684",
    "n03028079",
    "n03394916",
    "n03417042",
    "n03425413",
    "n03445777",
    "n03888257",
)


class Imagenette(Downloaded):
    """The official split as square images, standardised per channel with the training pixels.

    Args:
        url: Where `imagenette2-160.tgz`, a larger one or a copy lies (address or path).
        image_size: Height and width (pixels): the shorter side is scaled, the middle kept.
        train_per_class: Training images of each class, the first of the archive; 0 takes all.
        test_per_class: Test images of each class, the first of the archive; 0 takes all.
    """

    def __init__(
        self,
        *,
        url: str = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
        image_size: int = 64,
        train_per_class: int = 0,
        test_per_class: int = 0,
    ) -> None:
        super().__init__(url=url)
        self.sizes = (3 * image_size * image_size, len(CLASSES))
        self.image_size = image_size
        self.train_per_class = train_per_class
        self.test_per_class = test_per_class

    def arrays(self, raw: bytes) -> Arrays:
        """Return float32 inputs (n, 3, size, size) and int64 targets (n,) for train and test.

        Raises:
            ValueError: The archive is damaged, an image cannot be read, or a class is missing.
        """
        parts = {
            "train": Collector(CLASSES, self.image_size, self.train_per_class, "train"),
            "val": Collector(CLASSES, self.image_size, self.test_per_class, "test"),
        }

        def wanted(path: str) -> bool:
            file = PurePosixPath(path)
            if file.suffix.lower() not in SUFFIXES or len(file.parts) < 3:
                return False
            part, class_name = file.parts[-3:-1]
            return part in parts and parts[part].takes(class_name)

        for path, content in members(raw, wanted):
            part, class_name = PurePosixPath(path).parts[-3:-1]
            parts[part].add(content, path, class_name)
        return standardised(parts["train"].labelled(), parts["val"].labelled())


DATASET = Imagenette
