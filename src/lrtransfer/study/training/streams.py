"""Independent random streams of one seed, the same on every host and device."""

from __future__ import annotations

import numpy as np
import torch

INITIALISATION, ORDER, CURVATURE, SUBSET, AUGMENTATION = range(5)


def generator(stream: int, seed: int, *position: int) -> torch.Generator:
    """Return a CPU generator for one stream of ``seed`` at a position (epoch or step)."""
    words = np.random.SeedSequence([stream, seed, *position]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) & (2**63 - 1))


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
        """Return the sample numbers of update ``step`` (0-based), shape (batch_size,)."""
        epoch, place = divmod(step, self.batches)
        if epoch != self._epoch:
            random = generator(ORDER, self.seed, epoch)
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
    return torch.randperm(samples, generator=generator(SUBSET, 0))[:size]
