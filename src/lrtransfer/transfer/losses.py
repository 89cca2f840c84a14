"""The runs of one sweep as arrays: heights, which rates are usable, their means, what each counts.

Arrays are (..., S, L), seeds by rates, of one sweep or of many alike; with each seed left out in
turn, which is what the jackknife asks for, they are (..., S, S − 1, L).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.curves import Curves, Shape
from lrtransfer.transfer.valley import rate_means

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Losses:
    """Losses of runs.

    Attributes:
        log2_rate: (L,) or (..., L) increasing, in octaves.
        loss: (..., S, L); NaN where a run is missing.
        diverged: (..., S, L).
    """

    log2_rate: Array
    loss: Array
    diverged: Mask

    @cached_property
    def left_out(self) -> Losses:
        """The same without each seed in turn."""
        n = self.loss.shape[-2]
        kept = np.arange(n - 1) + (np.arange(n)[:, None] <= np.arange(n - 1))
        rates = self.log2_rate[..., None, :]
        return Losses(rates, self.loss[..., kept, :], self.diverged[..., kept, :])

    @cached_property
    def tried(self) -> Mask:
        """The rates (..., L) at which there are runs."""
        return np.asarray((np.isfinite(self.loss) | self.diverged).any(-2))

    @cached_property
    def trained(self) -> Array:
        """Losses (..., S, L) of the runs that trained; NaN elsewhere."""
        return np.where(self.diverged, np.nan, self.loss)

    @cached_property
    def logarithmic(self) -> Mask:
        """Whether (...) the log of the loss is the height: every loss is positive."""
        return np.asarray(~(np.isfinite(self.trained) & (self.trained <= 0)).any((-2, -1)))

    @cached_property
    def signed(self) -> Mask:
        """Whether (...) a loss is below zero: no loss is a share of another then."""
        return np.asarray((self.trained < 0).any((-2, -1)))

    @cached_property
    def height(self) -> Array:
        """Heights (..., S, L) of the runs that trained; NaN elsewhere."""
        log = self.logarithmic[..., None, None]
        return np.where(log, np.log(np.where(log, self.trained, 1.0)), self.trained)

    @cached_property
    def usable(self) -> Mask:
        """The rates (..., L) at which at least half of the runs trained."""
        trained, failed = np.isfinite(self.height).sum(-2), self.diverged.sum(-2)
        return np.asarray((trained > 0) & (trained >= failed))

    @cached_property
    def means(self) -> Array:
        """Seed-mean heights (..., L) at usable rates, NaN elsewhere."""
        return np.where(self.usable, rate_means(self.height), np.nan)

    @cached_property
    def counted(self) -> Array:
        """Losses (..., S, L) with a diverged run at what it counts as, NaN where one is missing.

        That is never better than a run that trained.
        """
        trained = self.trained
        worst = np.where(np.isnan(trained), -np.inf, trained).max((-2, -1), keepdims=True)
        own = np.where(np.isfinite(self.loss), self.loss, -np.inf)
        known = np.where(np.isfinite(worst), np.maximum(own, worst), own)
        return np.where(self.diverged, np.where(np.isfinite(known), known, np.nan), trained)

    def mean_at(self, where: Array, shape: Shape = "smooth") -> Array:
        """Return the means over seeds (..., P) of the interpolated losses at (P,) or (..., P).

        A seed counts if its runs span all of `where`. Where no seed's do, a mean is NaN at the
        places that lie outside the runs of a seed that has any.
        """
        at = where[..., None, :] if where.ndim > 1 else where
        curves = self._smooth if shape == "smooth" else self._monotone
        losses = curves(at)
        there = np.asarray(np.isfinite(losses).all(-1))
        there |= ~there.any(-1, keepdims=True) & np.isfinite(self.counted).any(-1)
        total = np.where(there[..., None], losses, 0.0).sum(-2)
        return np.asarray(total / there.sum(-1)[..., None])

    @cached_property
    def _smooth(self) -> Curves:
        return self._curves("smooth")

    @cached_property
    def _monotone(self) -> Curves:
        return self._curves("monotone")

    def _curves(self, shape: Shape) -> Curves:
        log = self.logarithmic[..., None]
        rates = self.log2_rate[..., None, :]
        return Curves.through(rates, self.counted, self.diverged, log, shape)
