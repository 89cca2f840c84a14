"""Runs -> one array per sweep: the losses of one arm at one size, seeds by learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from lrtransfer.transfer.curves import Shape
from lrtransfer.transfer.losses import Losses
from lrtransfer.transfer.size import AXES, Axis, with_size

Array = npt.NDArray[np.float64]

_NEEDED = ("arm", "seed", "log2_lr", "status", "initial_loss", "final_loss")


@dataclass(frozen=True, eq=False)
class Sweep:
    """All runs of one arm at one size.

    Attributes:
        arm: its name.
        sizes: axis -> size of the net.
        seeds: (S,) of the runs.
        log2_rate: (L,) increasing, in octaves.
        loss: (S, L); NaN where a run is missing. A diverged run may hold the loss that it counts
            as (that of the untrained net); without one it counts as the sweep's worst.
        diverged: (S, L) where a run diverged or ended no better than untrained: such a run says
            where the valley ends, not how steep it is.
        fixed: what is held fixed besides, where an experiment has several such values.
    """

    arm: str
    sizes: Mapping[str, float]
    seeds: tuple[int, ...]
    log2_rate: Array
    loss: Array
    diverged: npt.NDArray[np.bool_]
    fixed: int = 0

    @property
    def axis(self) -> Axis:
        """The one axis of size of a study's sweep."""
        (own,) = self.sizes
        return next((axis for axis in AXES if axis == own), "width")

    @property
    def size(self) -> int:
        """The size along that axis."""
        (size,) = self.sizes.values()
        return int(size)

    @cached_property
    def runs(self) -> Losses:
        """The losses as arrays (S, L)."""
        return Losses(self.log2_rate, self.loss, self.diverged)

    @property
    def logarithmic(self) -> bool:
        """Whether the log of the loss is the valley's height: every loss is positive."""
        return bool(self.runs.logarithmic)

    @property
    def signed(self) -> bool:
        """Whether a loss is below zero: no loss is a share of another then."""
        return bool(self.runs.signed)

    @property
    def height(self) -> Array:
        """Heights (S, L) of the runs that trained; NaN where a run is missing or diverged."""
        return self.runs.height

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """The rates (L,) at which at least half of the runs trained."""
        return self.runs.usable

    @property
    def means(self) -> Array:
        """Seed-mean heights (L,) at usable rates, NaN elsewhere."""
        return self.runs.means

    @property
    def counted(self) -> Array:
        """Losses (S, L) with a diverged run at what it counts as, NaN where a run is missing."""
        return self.runs.counted

    @property
    def has_optimum(self) -> bool:
        """Whether any rate is usable."""
        return bool(self.usable.any())

    @cached_property
    def spacing(self) -> float:
        """The grid's step, in octaves; NaN for a single rate.

        The median, and no less than the widest within two points of the lowest mean: finer steps
        elsewhere tell nothing of the valley.
        """
        steps = np.diff(self.log2_rate)
        if not len(steps):
            return np.nan
        if not self.has_optimum:
            return float(np.median(steps))
        lowest = int(np.nanargmin(self.means))
        return float(max(np.median(steps), steps[max(lowest - 2, 0) : lowest + 2].max()))

    @cached_property
    def grid(self) -> tuple[float, float]:
        """The lowest and highest learning rate, in log2."""
        return float(self.log2_rate[0]), float(self.log2_rate[-1])

    def without(self, seed: int) -> Sweep:
        """Return the sweep without the runs of one seed."""
        kept = np.array(self.seeds) != seed
        seeds = tuple(s for s in self.seeds if s != seed)
        return replace(self, seeds=seeds, loss=self.loss[kept], diverged=self.diverged[kept])

    def mean_loss_at(self, where: npt.ArrayLike, shape: Shape = "smooth") -> Array:
        """Return the mean over seeds of the interpolated loss; NaN outside the grid."""
        return self.runs.mean_at(np.atleast_1d(np.asarray(where, dtype=np.float64)), shape)

    def depth_below(self, where: float) -> float:
        """Return how far below the interpolated loss the seed-mean valley may reach at `where`.

        A convex valley lies above the lines through the two points on either side; this is the
        distance to them. Zero outside the usable rates, and where neither side has two points.
        """
        x, y = self.log2_rate[self.usable], self.means[self.usable]
        place = int(np.searchsorted(x, where))
        lines = [
            y[a] + (y[b] - y[a]) / (x[b] - x[a]) * (where - x[a])
            for a, b in ((place - 1, place - 2), (place, place + 1))
            if min(a, b) >= 0 and max(a, b) < len(x)
        ]
        if not lines or not 0 < place < len(x):
            return 0.0
        chord = float(np.interp(where, x, y))
        lowest = min(max(lines), chord)
        if not self.logarithmic:
            return chord - float(lowest)
        return float(np.exp(chord) - np.exp(lowest))

    def cut_at(self, where: float) -> bool:
        """Return whether the cell of the grid that holds `where` ends in a rate not usable."""
        place = int(np.clip(np.searchsorted(self.log2_rate, where), 1, len(self.log2_rate) - 1))
        return not bool(self.usable[place - 1 : place + 1].all())


def sweeps(runs: pd.DataFrame) -> Iterator[Sweep]:
    """Yield the sweeps of one experiment's runs, by arm (in order of appearance), fixed, size.

    A finished run without a final loss is a missing run.

    Raises:
        ValueError: a column is missing, a learning rate is repeated within a sweep's seed, or a
            run has no finite initial loss.

    Example:
        >>> from lrtransfer.transfer.sweeps import sweeps
        >>> import pandas as pd
        >>> runs = pd.DataFrame({"log2_lr": [-3.0, -2.0, -1.0], "final_loss": [1.2, 1.0, 1.2]})
        >>> runs = runs.assign(arm="mup", seed=0, width=64, depth=2, status="ok", initial_loss=2.0)
        >>> [(sweep.arm, sweep.size, sweep.grid) for sweep in sweeps(runs)]
        [('mup', 64, (-3.0, -1.0))]
    """
    missing = [name for name in _NEEDED if name not in runs.columns]
    if missing:
        raise ValueError(f"the table of runs lacks the columns {missing}: add them")
    for arm, of_arm in with_size(runs).groupby("arm", sort=False):
        for _, group in of_arm.groupby(["fixed", "size"]):
            first = group.iloc[0]
            yield _sweep(group, str(arm), {first["axis"]: int(first["size"])}, int(first["fixed"]))


def groups_of(sweeps: Iterable[Sweep]) -> list[list[Sweep]]:
    """Return the sweeps by arm and fixed value, in order of appearance, sizes increasing."""
    groups: dict[tuple[str, int], list[Sweep]] = {}
    for sweep in sweeps:
        groups.setdefault((sweep.arm, sweep.fixed), []).append(sweep)
    return [sorted(group, key=lambda s: tuple(s.sizes.values())) for group in groups.values()]


def _sweep(group: pd.DataFrame, arm: str, sizes: Mapping[str, float], fixed: int) -> Sweep:
    repeated = group.duplicated(["seed", "log2_lr"])
    if repeated.any():
        first = group.iloc[0]
        raise ValueError(
            f"runs repeats a learning rate for arm {arm!r}, {first['axis']} {first['size']}, seed "
            f"{group.loc[repeated, 'seed'].iloc[0]}: pass the runs of one experiment only"
        )
    if not np.all(np.isfinite(group["initial_loss"].to_numpy(dtype=np.float64))):
        raise ValueError("initial_loss must be finite for every run: give the untrained net's loss")
    diverging = group["status"].eq("diverged").astype(float)
    table = group.assign(failed=diverging).pivot(
        index="seed", columns="log2_lr", values=["final_loss", "initial_loss", "failed"]
    )
    final, initial, failed = (
        table[name].to_numpy(dtype=np.float64) for name in ("final_loss", "initial_loss", "failed")
    )
    diverged = (failed == 1) | (final >= initial)
    return Sweep(
        arm,
        sizes,
        tuple(int(seed) for seed in table.index),
        table["final_loss"].columns.to_numpy(dtype=np.float64),
        np.where(failed == 1, initial, final),
        diverged,
        fixed,
    )
