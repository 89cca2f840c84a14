"""Arrays of one's own: a file of numpy (`.npz`) or of safetensors."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.download import Downloaded
from lrtransfer.study.data.split import train_and_test

_WHOLE = ({"train_inputs", "train_targets"}, {"train_tokens"})


@dataclass(kw_only=True)
class ArrayFile(Downloaded):
    """Taken as they are if they have the names of prepared data, otherwise split.

    The names are `train_inputs` and `train_targets`, or `train_tokens`, and the same with `test_`.

    Args:
        url: The file's path or address.
        inputs: Name of the array of inputs (n, …), where there is no `train_inputs`.
        targets: Name of the array of targets, (n,) or (n, C).
        test_fraction: Share of the rows that is held out (between 0 and 1).
        split_seed: Seed of their choice.
        standardise: Whether inputs, and targets that are numbers, get mean 0 and deviation 1.
    """

    inputs: str = "inputs"
    targets: str = "targets"
    test_fraction: float = 0.1
    split_seed: int = 0
    standardise: bool = False

    def arrays(self, raw: bytes) -> Arrays:
        """Return the arrays of both parts.

        Raises:
            ValueError: The file is neither kind, holds objects, or lacks an array.
        """
        held = _read(raw, self.url)
        if any(names <= held.keys() for names in _WHOLE):
            return held
        for name in (self.inputs, self.targets):
            if name not in held:
                raise ValueError(
                    f"{self.url} has no array {name!r}, but {', '.join(sorted(held))}."
                )
        return train_and_test(
            held[self.inputs],
            held[self.targets],
            test_fraction=self.test_fraction,
            seed=self.split_seed,
            standardise=self.standardise,
            name=self.url,
        )


def _read(raw: bytes, name: str) -> dict[str, np.ndarray[Any, Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        if not zipfile.is_zipfile(io.BytesIO(raw)):
            return dict(load(raw))
        # Objects are pickled, and reading them would run whatever code they hold.
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            return dict(file)
    except (SafetensorError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{name} holds no plain arrays ({error}). Write it with numpy.savez or "
            "safetensors.numpy.save_file."
        ) from error


DATASET = ArrayFile
