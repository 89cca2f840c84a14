"""The python archives of CIFAR-10 and CIFAR-100: pickled batches of rows of 3 × 32 × 32 bytes."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np

from lrtransfer.study.data.archives import members
from lrtransfer.study.data.images import Labelled
from lrtransfer.study.data.pickles import load

SHAPE = (3, 32, 32)


def batches(raw: bytes, names: tuple[str, ...], label_key: str) -> Labelled:
    """Return the images of the named batches, in the order of ``names``.

    Args:
        raw: The archive, ``cifar-*-python.tar.gz``.
        names: Files of the batches, without their folder.
        label_key: The batch's entry that holds the class numbers.

    Raises:
        ValueError: A batch is missing, or does not hold images and as many labels.
    """
    wanted = frozenset(names)
    found = {
        PurePosixPath(path).name: content
        for path, content in members(raw, lambda path: PurePosixPath(path).name in wanted)
    }
    missing = sorted(wanted - found.keys())
    if missing:
        raise ValueError(
            f"the archive lacks {', '.join(missing)}. Give the url of the official python archive."
        )
    parts = [_batch(name, found.pop(name), label_key) for name in names]
    return Labelled(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _batch(name: str, content: bytes, label_key: str) -> Labelled:
    batch = load(content)
    try:
        pixels = batch["data"].reshape(-1, *SHAPE)
        labels = np.array(batch[label_key], dtype=np.int64)
        if labels.shape != (len(pixels),):
            raise ValueError(f"{len(pixels)} images have labels of shape {labels.shape}")
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is not a batch of CIFAR images ({error!r}). "
            "Give the url of the official python archive."
        ) from error
    return Labelled(pixels, labels)
