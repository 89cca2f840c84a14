"""Independent random streams of one seed, the same on every host and device."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

_NUMBERS = {
    "initialisation": 0,
    "order": 1,
    "curvature": 2,
    "subset": 3,
    "augmentation": 4,
    "samples": 1000,
}
# A stream for each probe and each part of a spectrum, whichever others there are.
_FAMILIES = frozenset({"probe", "spectrum"})


def generator(stream: str, seed: int, *position: int) -> torch.Generator:
    """Return a CPU generator for one stream of `seed` at a position (epoch or step).

    Args:
        stream: What the numbers are for: a name in the table, `probe/<name>` or
            `spectrum/<name>`.
        seed: The run's.
        position: Where in the run.

    Raises:
        ValueError: There is no such stream.
    """
    words = np.random.SeedSequence([_number(stream), seed, *position]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) & (2**63 - 1))


def _number(stream: str) -> int:
    family, _, name = stream.partition("/")
    if family in _FAMILIES and name:
        return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "big")
    if stream not in _NUMBERS:
        known = ", ".join([*_NUMBERS, *(f"{family}/<name>" for family in sorted(_FAMILIES))])
        raise ValueError(f"there is no random stream {stream!r}. Give one of {known}.")
    return _NUMBERS[stream]


class BatchOrder:
    """Which samples each step sees: a fresh permutation per epoch, the last partial batch left out.

    Any step can be asked for directly, so that a resumed run needs no replay.

    Args:
        samples: Size of the training set.
        batch_size: Samples per step.
        seed: The run's seed.

    Raises:
        ValueError: A batch is larger than the training set.
    """

    def __init__(self, samples: int, batch_size: int, seed: int) -> None:
        if batch_size > samples:
            raise ValueError(
                f"batch_size is {batch_size}, but there are {samples} training samples. "
                "Lower batch_size."
            )
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.batches = samples // batch_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def __call__(self, step: int) -> torch.Tensor:
        """Return the sample numbers of update `step` (0-based), shape (batch_size,)."""
        epoch, place = divmod(step, self.batches)
        if epoch != self._epoch:
            random = generator("order", self.seed, epoch)
            self._epoch, self._order = epoch, torch.randperm(self.samples, generator=random)
        return self._order[place * self.batch_size : (place + 1) * self.batch_size]


def subset(samples: int, size: int) -> torch.Tensor:
    """Return the numbers of the fixed training subset, the same for every run of a data set.

    Raises:
        ValueError: More samples are asked for than there are.
    """
    if size > samples:
        raise ValueError(
            f"measure.samples is {size}, but there are {samples} training samples. Lower it."
        )
    return torch.randperm(samples, generator=generator("subset", 0))[:size]
