"""The valleys of many arms in one stack, so that all are fitted at once.

Rates are padded to the longest grid by rates without runs, which no fit sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer import valley
from lrtransfer.transfer.losses import Losses
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
States = npt.NDArray[np.int64]

#: What a rate beside the lowest one is: none was tried, most runs failed, or they trained.
ABSENT, FAILED, TRAINED = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Stacked:
    """Valleys of N sweeps over L rates, R seeds left out of theirs in turn, at B bandwidths.

    Attributes:
        sweeps: (N), those with an optimum.
        bandwidths: (B, N) of the fits, in octaves.
    """

    sweeps: tuple[Sweep, ...]
    bandwidths: Array

    @cached_property
    def log2_rate(self) -> Array:
        """The rates (N, L), ascending."""
        rates = self._filled(lambda runs: runs.log2_rate)
        missing = np.isnan(rates)
        beyond = np.nanmax(rates, axis=-1, keepdims=True) + np.cumsum(missing, axis=-1)
        return np.where(missing, beyond, rates)

    @cached_property
    def means(self) -> Array:
        """Seed-mean heights (N, L); NaN at rates that are not usable."""
        return self._filled(lambda runs: runs.means)

    @cached_property
    def seeds(self) -> Places:
        """How many seeds (N,) may be left out: none of one."""
        seeds = np.array([len(s.seeds) for s in self.sweeps])
        return np.where(seeds > 1, seeds, 0)

    @cached_property
    def owner(self) -> Places:
        """The sweep (R,) that each seed is left out of."""
        return np.repeat(np.arange(len(self.seeds)), self.seeds)

    def rows(self, own: slice) -> slice:
        """Return the seeds left out of some sweeps."""
        first = np.append(0, np.cumsum(self.seeds))
        return slice(int(first[own.start]), int(first[own.stop]))

    @cached_property
    def left_out(self) -> Array:
        """The heights (R, L) without each seed."""
        heights = np.full((len(self.owner), self.log2_rate.shape[-1]), np.nan)
        first = np.cumsum(self.seeds) - self.seeds
        for places, runs in self._alike:
            n, rates = runs.loss.shape[-2:]
            if n > 1:
                heights[first[places][:, None] + np.arange(n), :rates] = runs.left_out.means
        return heights

    @cached_property
    def whole(self) -> list[valley.Bottom]:
        """Per bandwidth the bottoms (N,) of the means."""
        many = np.broadcast_to(self.means, (len(self.bandwidths), *self.means.shape))
        found = valley.bottom(self.log2_rate, many, self.bandwidths)
        return [found[place] for place in range(len(self.bandwidths))]

    @cached_property
    def at(self) -> list[Fits]:
        """The fits at each bandwidth."""
        return [Fits(self, place) for place in range(len(self.bandwidths))]

    @cached_property
    def beside_means(self) -> States:
        """What the next rates are below and above each sweep's lowest mean (N, 2)."""
        return self.beside(np.arange(len(self.sweeps)), self.means)

    @cached_property
    def beside_left_out(self) -> States:
        """The same (R, 2) without each seed."""
        return self.beside(self.owner, self.left_out)

    def beside(self, owner: Places, heights: Array) -> States:
        """Return what the next rates with runs are below and above each lowest one (R, 2).

        Args:
            owner: (R,) the sweep of each row.
            heights: (R, L).
        """
        lowest = np.argmin(np.where(np.isfinite(heights), heights, np.inf), axis=-1)[:, None]
        states = np.where(np.isfinite(heights), TRAINED, FAILED)
        tried, place = self._tried[owner], np.arange(heights.shape[-1])
        below = np.where(tried & (place < lowest), place, -1).max(-1, keepdims=True)
        above = np.where(tried & (place > lowest), place, len(place)).min(-1, keepdims=True)
        found = [
            np.where(there, np.take_along_axis(states, np.where(there, at, 0), -1), ABSENT)[:, 0]
            for at, there in ((below, below >= 0), (above, above < len(place)))
        ]
        return np.stack(found, axis=-1)

    @cached_property
    def _tried(self) -> npt.NDArray[np.bool_]:
        """The rates (N, L) at which there are runs."""
        return np.asarray(self._filled(lambda runs: runs.tried) == 1)

    @cached_property
    def _alike(self) -> list[tuple[Places, Losses]]:
        return alike(self.sweeps)

    def _filled(self, rows: Callable[[Losses], npt.NDArray[np.generic]]) -> Array:
        """Return rows (N, L) of the sweeps, NaN beyond their own rates."""
        longest = max(runs.loss.shape[-1] for _, runs in self._alike)
        filled = np.full((len(self.sweeps), longest), np.nan)
        for places, runs in self._alike:
            filled[places, : runs.loss.shape[-1]] = rows(runs)
        return filled


@dataclass(frozen=True, eq=False)
class Fits:
    """The bottoms of stacked valleys at one of their bandwidths.

    Attributes:
        valleys: the stack.
        place: of the bandwidth.
    """

    valleys: Stacked
    place: int

    @property
    def whole(self) -> valley.Bottom:
        """The bottoms (N,) of the seed-mean valleys."""
        return self.valleys.whole[self.place]

    @property
    def wider(self) -> valley.Bottom:
        """The same at the next wider bandwidth."""
        return self.valleys.whole[self.place + 1]

    @cached_property
    def halves(self) -> valley.Bottom:
        """The same of two half parabolas."""
        v = self.valleys
        return valley.bottom(v.log2_rate, v.means, v.bandwidths[self.place], "halves")

    @cached_property
    def left_out(self) -> valley.Bottom:
        """The bottoms (R,) without each seed."""
        v = self.valleys
        widths = v.bandwidths[self.place, v.owner]
        return valley.bottom(v.log2_rate[v.owner], v.left_out, widths)


def mean_losses(sweeps: Sequence[Sweep], where: Array) -> Array:
    """Return the mean over seeds of each sweep's loss at its own place of `where` (N,)."""
    found = np.empty(len(sweeps))
    for places, runs in alike(sweeps):
        found[places] = runs.mean_at(where[places][:, None])[:, 0]
    return found


def alike(sweeps: Sequence[Sweep]) -> list[tuple[Places, Losses]]:
    """Return the places (n,) of sweeps of as many seeds and rates, and their losses (n, S, L)."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, sweep in enumerate(sweeps):
        places.setdefault(sweep.loss.shape, []).append(place)
    return [
        (
            np.array(own),
            Losses(
                np.stack([sweeps[i].log2_rate for i in own]),
                np.stack([sweeps[i].loss for i in own]),
                np.stack([sweeps[i].diverged for i in own]),
            ),
        )
        for own in places.values()
    ]
