"""Runs of one experiment -> one array per sweep (arm, size): seeds by learning rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer import valley
from lrtransfer.transfer.size import Axis, with_size

Array = npt.NDArray[np.float64]

_NEEDED = ("arm", "seed", "log2_lr", "status", "initial_loss", "final_loss")


@dataclass(frozen=True)
class Valley:
    """One seed's losses over its learning rates.

    Attributes:
        seed: of its runs.
        log2_lr: (L,) increasing, in octaves.
        loss: (L,) nats; a diverged run counts as the initial loss or the seed's worst finished
            run, whichever is larger: divergence is never better than not training, never dropped.
        cliff: (L,) true where the run diverged or ended no better than untrained.
    """

    seed: int
    log2_lr: Array
    loss: Array
    cliff: npt.NDArray[np.bool_]

    def vertex(self) -> tuple[float, int]:
        """Return the optimum in log2 of the learning rate and its edge (-1 low, 0, 1 high)."""
        if len(self.loss) == 0:
            return float("nan"), 0
        position, edge = valley.vertices(self.log2_lr, np.log(self.loss), self.cliff)
        return float(position), int(edge)

    def loss_at(self, where: npt.ArrayLike) -> Array:
        """Return the interpolated loss in nats at positions (P,); NaN outside the grid."""
        positions = np.atleast_1d(np.asarray(where, dtype=np.float64))
        if len(self.loss) == 0:
            return np.full(positions.shape, np.nan)
        return valley.loss_at(self.log2_lr, self.loss, self.cliff, positions)


@dataclass(frozen=True)
class Sweep:
    """All runs of one arm at one size (and one `fixed` value of the other axis).

    Attributes:
        valleys: one per seed.
    """

    arm: str
    axis: Axis
    fixed: int
    size: int
    valleys: tuple[Valley, ...]

    @cached_property
    def vertices(self) -> tuple[Array, npt.NDArray[np.int64]]:
        """The vertices (S,) of the seeds, NaN where all diverged, and their edges (S,)."""
        pairs = [v.vertex() for v in self.valleys]
        return np.array([p for p, _ in pairs]), np.array([e for _, e in pairs], dtype=np.int64)

    @property
    def seeds(self) -> list[int]:
        """The seed of each valley."""
        return [valley.seed for valley in self.valleys]

    @property
    def has_vertex(self) -> npt.NDArray[np.bool_]:
        """Which seeds (S,) have a vertex: at one of its rates at least, a run did not diverge."""
        return np.isfinite(self.vertices[0])

    @property
    def spacing(self) -> float:
        """The widest step of the learning-rate grid, in octaves; NaN for a single rate."""
        grid = np.unique(np.concatenate([v.log2_lr for v in self.valleys]))
        return float(np.diff(grid).max()) if len(grid) > 1 else float("nan")

    @property
    def grid(self) -> tuple[float, float]:
        """The lowest and highest learning rate of the grid, in log2."""
        grid = np.concatenate([v.log2_lr for v in self.valleys])
        return (float(grid.min()), float(grid.max())) if len(grid) else (np.nan, np.nan)

    def mean_loss_at(self, where: npt.ArrayLike) -> Array:
        """Return the mean over seeds of the interpolated loss, nats; NaN outside any grid."""
        return np.asarray(np.mean([v.loss_at(where) for v in self.valleys], axis=0))


def sweeps(runs: pd.DataFrame) -> Iterator[Sweep]:
    """Yield the sweeps of one experiment's runs, by arm (in order of appearance), fixed, size.

    A finished run without a final loss is a missing run and is left out of its valley.

    Raises:
        ValueError: a column is missing, a learning rate is repeated within a sweep's seed, or a
            diverged run has no finite initial loss.

    Example:
        >>> from lrtransfer.transfer.sweeps import sweeps
        >>> import pandas as pd
        >>> runs = pd.DataFrame({"log2_lr": [-3.0, -2.0, -1.0], "final_loss": [1.2, 1.0, 1.2]})
        >>> runs = runs.assign(arm="mup", seed=0, width=64, depth=2, status="ok", initial_loss=2.0)
        >>> [(sweep.arm, sweep.size, float(sweep.vertices[0][0])) for sweep in sweeps(runs)]
        [('mup', 64, -2.0)]
    """
    missing = [name for name in _NEEDED if name not in runs.columns]
    if missing:
        raise ValueError(f"the table of runs lacks the columns {missing}: add them")
    for arm, of_arm in with_size(runs).groupby("arm", sort=False):
        for _, group in of_arm.groupby(["fixed", "size"]):
            valleys = tuple(_valley(int(str(seed)), rows) for seed, rows in group.groupby("seed"))
            first = group.iloc[0]
            yield Sweep(str(arm), first["axis"], int(first["fixed"]), int(first["size"]), valleys)


def groups_of(sweeps: list[Sweep]) -> list[list[Sweep]]:
    """Return the sweeps by arm and fixed value, in order of appearance, sizes increasing."""
    names = dict.fromkeys((s.arm, s.fixed) for s in sweeps)
    return [
        sorted((s for s in sweeps if (s.arm, s.fixed) == name), key=lambda s: s.size)
        for name in names
    ]


def _valley(seed: int, group: pd.DataFrame) -> Valley:
    group = group.sort_values("log2_lr")
    if group["log2_lr"].duplicated().any():
        first = group.iloc[0]
        raise ValueError(
            f"runs repeats a learning rate for arm {first['arm']!r}, {first['axis']} "
            f"{first['size']}, seed {first['seed']}: pass the runs of one experiment only"
        )
    diverged = group["status"].to_numpy() == "diverged"
    final = group["final_loss"].to_numpy(dtype=np.float64)
    initial = group["initial_loss"].to_numpy(dtype=np.float64)
    kept = diverged | np.isfinite(final)
    diverged, final, initial = diverged[kept], final[kept], initial[kept]
    if not np.all(np.isfinite(initial)):
        raise ValueError("initial_loss must be finite for every run: give the untrained net's loss")
    worst = np.max(final[~diverged], initial=0.0)
    loss = np.where(diverged, np.maximum(initial, worst), final)
    # A loss of exactly zero has no logarithm; the smallest float keeps its order.
    loss = np.maximum(loss, np.finfo(np.float64).tiny)
    log2_lr = group["log2_lr"].to_numpy(dtype=np.float64)[kept]
    return Valley(seed, log2_lr, loss, diverged | (loss >= initial))
