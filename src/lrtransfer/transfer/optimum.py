"""Optimal learning rate per size, in log2: the bottom of the seed-mean valley, with its interval.

The seeds' variance is pooled over the sizes of an arm (assumed equal there: with 3 seeds alone t is
4.3). What more seeds do not lessen is `vertices.Vertices.offset`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.estimate import Estimate, Part, Unit
from lrtransfer.transfer.laws import Law, fits
from lrtransfer.transfer.sweeps import Sweep, groups_of
from lrtransfer.transfer.vertices import size_of

Array = npt.NDArray[np.float64]

#: A learning rate belongs to the valley while the mean loss is within this factor of the optimum's.
VALLEY_FACTOR = 1.1

_NO = float("nan")


@dataclass(frozen=True)
class Optimum:
    """The optimum of one sweep.

    Attributes:
        sweep: of one arm at one size.
        log2_rate: the estimate; its units are the seeds' pseudo-values.
        side: `inside`, or the end at which the valley is open, `low`, `high` or `both`: the
            estimate is that end then, its interval open. `none` where no rate trains.
    """

    sweep: Sweep
    log2_rate: Estimate
    side: str

    @cached_property
    def loss(self) -> float:
        """Mean over seeds of the loss at the optimum."""
        return float(self.sweep.mean_loss_at(self.log2_rate.value)[0])

    @cached_property
    def best_grid_rate(self) -> float:
        """log2 of the rate with the lowest mean loss."""
        means = self.sweep.means
        return float(self.sweep.log2_rate[np.nanargmin(means)]) if self.sweep.has_optimum else _NO

    @cached_property
    def valley(self) -> tuple[float, float]:
        """log2 of the rates between which the mean loss stays within `VALLEY_FACTOR`."""
        (low, high), at = self.sweep.grid, self.log2_rate.value
        if low == high or not self.sweep.logarithmic or not self.sweep.has_optimum:
            return _NO, _NO
        fine = np.linspace(low, high, 64 * int(np.ceil(high - low)) + 1)
        inside = self.sweep.mean_loss_at(fine) <= VALLEY_FACTOR * self.loss
        start = int(np.argmin(np.abs(fine - at)))
        left = start - int(np.argmin(np.append(inside[start::-1], False))) + 1
        right = start + int(np.argmin(np.append(inside[start:], False))) - 1
        return float(fine[min(left, start)]), float(fine[max(right, start)])


def optima(sweeps: list[Sweep]) -> list[Optimum]:
    """Return the optimum of each sweep, in their order.

    Example:
        >>> from lrtransfer.transfer.optimum import optima
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> losses = np.exp([(grid + 4 + seed) ** 2 / 20 for seed in (0.0, 1.0)])
        >>> def swept(width):
        ...     return Sweep("mup", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> [(o.sweep.size, round(o.log2_rate.value, 2)) for o in optima([swept(64), swept(128)])]
        [(64, -4.5), (128, -4.5)]
    """
    able = [g for g in groups_of(sweeps) if any(s.has_optimum for s in g)]
    found = {id(o.sweep): o for law in fits(able) for o in of_law(law)}
    return [found.get(id(s), Optimum(s, Estimate(_NO), "none")) for s in sweeps]


def of_law(law: Law) -> list[Optimum]:
    """Return the optimum of each size that a law is fitted to."""
    v = law.vertices
    scatter = within(law)
    found = []
    for sweep, at, pseudo, offset, side in zip(
        v.sweeps, v.position, v.pseudo, v.offset, v.side, strict=True
    ):
        estimate = Estimate(
            float(at),
            (Part(scatter.variance / len(pseudo), scatter.df),) if scatter.df > 0 else (),
            systematic=float(offset),
            open_low=side in ("low", "both"),
            open_high=side in ("high", "both"),
            units=tuple(
                Unit(seed, size_of(sweep), float(value))
                for seed, value in zip(sweep.seeds, pseudo, strict=True)
            ),
        )
        found.append(Optimum(sweep, estimate, side or "inside"))
    return found


def within(law: Law) -> Part:
    """Return the variance of one seed's optimum within its size, pooled over sizes.

    With one seed each, what the law assumes and finds.
    """
    pseudo = law.vertices.pseudo
    freedom = sum(len(p) - 1 for p in pseudo)
    if freedom == 0:
        return law.scatter
    return Part(sum(float(np.sum((p - p.mean()) ** 2)) for p in pseudo) / freedom, freedom)
