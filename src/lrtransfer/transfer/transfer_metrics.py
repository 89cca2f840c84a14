"""Metrics of transfer that later work proposed, in the form in which sweeps can answer them.

Kalra & Barkeshli (arXiv 2605.21486) judge transfer by three numbers: how well a scaling law fits
the optimal hyperparameter (fit error E), how the cost of an error of the extrapolation grows beside
the loss that a larger net gains (κ), and what the parameterization costs in loss at large size
(asymptotic penalty R(∞)). κ is that of their code, κ = α − 2β + γ: the loss approaches its limit as
n^−α, the optimum (log η*) its own as n^−β, and the loss's curvature there, in log η, grows as n^γ.
κ < 0 is good: ½·n^γ·(n^−β)² over n^−α. The paper's own print was not at hand.

Ghosh, Wu & Bietti (arXiv 2512.22768) call transfer fast where the loss given up by using a small
net's optimum vanishes faster with its size than the gap in loss between that net and an infinite
one, β > α/2, and useful where tuning small therefore costs less compute than tuning large; they
show the two to be equivalent for a compute-optimal grid search.

The estimators are this project's own:

- E: root mean square of the sizes' optima about the power law, in octaves.
- Rate α − 2β: the slope of log2 of (u_2n − u_n)² / (L_n − L_2n) on log2 n, between neighbouring
  sizes: transfer is fast where its interval lies below zero. Neighbours are compared because
  distances to the largest net, as a proxy of the infinite one, go to zero there by construction.
- γ: the slope of log2 of the loss's rise one octave off the optimum, mean of both sides.
- κ: the slope of log2 of that rise times (u_2n − u_n)² / (L_n − L_2n).
- R: best loss of the arm over the best loss of any arm at the largest size that all have, minus 1;
  `penalty_slope` is the slope of log2 of that ratio per octave. R(∞) itself would need a law
  with an offset of the loss: it is not extrapolated.
- Transfer's share ρ: the loss that the largest net gives up with the optimum of a smaller size,
  over the gap in loss between that size and the largest net; both summed over sizes. Near 0 the
  small net's optimum is as good as the own one, near 1 it costs as much as staying small.

Intervals are jackknives over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lrtransfer.transfer.estimate import Estimate, Part, Unit
from lrtransfer.transfer.intervals import jackknife_variance, line
from lrtransfer.transfer.laws import fit
from lrtransfer.transfer.predict import PredictionRefused, known_law
from lrtransfer.transfer.size import Axis
from lrtransfer.transfer.sweeps import Sweep, groups_of
from lrtransfer.transfer.vertices import Vertices

Array = npt.NDArray[np.float64]
_UNKNOWN = float("nan")

#: How far off the optimum the rise of the loss is read, octaves.
OFFSET = 1.0


@dataclass(frozen=True)
class TransferMetrics:
    """The metrics of one arm; NaN where it lacks what a metric needs.

    Attributes:
        fit_error: E, octaves.
        curvature_growth: γ.
        kappa: α − 2β + γ: good below zero.
        penalty: R at `penalty_size`, a share of the best loss; its slope is per octave of size.
            NaN where a loss is below zero.
        given_up: ρ.
        rate: α − 2β: fast where it is below zero.
    """

    arm: str
    axis: Axis
    fixed: int
    fit_error: float
    curvature_growth: Estimate
    kappa: Estimate
    penalty: float
    penalty_size: int
    penalty_slope: float
    given_up: Estimate
    rate: Estimate


def transfer_metrics(sweeps: list[Sweep]) -> list[TransferMetrics]:
    """Return the metrics of every arm and fixed value.

    Example:
        >>> from lrtransfer.transfer.transfer_metrics import transfer_metrics
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> losses = np.exp([(grid + 4 + seed) ** 2 / 20 for seed in (0.0, 0.1)])
        >>> def swept(width):
        ...     return Sweep("mup", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> swept = [swept(n) for n in (64, 128, 256)]
        >>> len(transfer_metrics(swept))
        1
    """
    groups = [_Found.of(group) for group in groups_of(sweeps)]
    best = [{s.size: loss for s, loss in zip(g.sweeps, g.best, strict=True)} for g in groups]
    is_ratio, found = not any(sweep.signed for sweep in sweeps), []
    for group, own in zip(groups, best, strict=True):
        first = group.sweeps[0]
        rivals = [o for g, o in zip(groups, best, strict=True) if g.sweeps[0].fixed == first.fixed]
        penalty, size, slope = _penalty(own, rivals) if is_ratio else (_UNKNOWN, 0, _UNKNOWN)
        found.append(
            TransferMetrics(
                arm=first.arm,
                axis=first.axis,
                fixed=first.fixed,
                fit_error=_fit_error(group.sweeps),
                curvature_growth=_jackknifed(group, _curvature_growth),
                kappa=_jackknifed(group, _kappa),
                penalty=penalty,
                penalty_size=size,
                penalty_slope=slope,
                given_up=_jackknifed(group, _mean_share),
                rate=_jackknifed(group, _rate),
            )
        )
    return found


@dataclass(frozen=True)
class _Found:
    """One arm's sweeps, sizes increasing, and their optima; NaN where a valley is open."""

    sweeps: list[Sweep]
    optima: list[float]
    bandwidth: float

    @classmethod
    def of(cls, group: list[Sweep]) -> _Found:
        unknown = float("nan")
        if not all(s.has_optimum for s in group):
            return cls(group, [unknown] * len(group), unknown)
        v = fit(group).vertices
        at = [unknown if side else float(u) for u, side in zip(v.position, v.side, strict=True)]
        return cls(group, at, v.bandwidth)

    @property
    def best(self) -> list[float]:
        """The loss at each optimum."""
        return [
            float(s.mean_loss_at(at)[0]) if math.isfinite(at) else at
            for s, at in zip(self.sweeps, self.optima, strict=True)
        ]

    def without(self, place: int) -> _Found:
        """Return the same without the seed at that place."""
        kept = [sweep.without(sweep.seeds[place]) for sweep in self.sweeps]
        left = Vertices.at(kept, self.bandwidth) if all(s.has_optimum for s in kept) else None
        if left is None or any(left.side):
            return _Found(kept, [float("nan")] * len(kept), self.bandwidth)
        return _Found(kept, [float(u) for u in left.position], self.bandwidth)


def _fit_error(group: list[Sweep]) -> float:
    try:
        return known_law(group).residual if len(group) > 2 else float("nan")
    except PredictionRefused:
        return float("nan")


def _rises(found: _Found) -> Array:
    """Return the mean rise of the loss one octave off each optimum."""
    rises = []
    for sweep, at in zip(found.sweeps, found.optima, strict=True):
        below, best, above = sweep.mean_loss_at([at - OFFSET, at, at + OFFSET])
        rises.append((below + above) / 2 - best)
    return np.array(rises)


def _curvature_growth(found: _Found) -> float:
    return _slope(found.sweeps, _rises(found))


def _mean_share(found: _Found) -> float:
    """Return what the largest net loses with the smaller ones' optima, over the gaps in loss."""
    if len(found.sweeps) < 2:
        return float("nan")
    *smaller, least = found.best
    given_up = found.sweeps[-1].mean_loss_at(found.optima[:-1]) - least
    gap = np.array(smaller) - least
    return float(given_up.sum() / gap.sum()) if np.all(gap > 0) else float("nan")


def _rate(found: _Found) -> float:
    """Return α − 2β."""
    return _slope(found.sweeps[:-1], _moves_over_gaps(found))


def _kappa(found: _Found) -> float:
    """Return α − 2β + γ."""
    return _slope(found.sweeps[:-1], _moves_over_gaps(found) * _rises(found)[:-1])


def _moves_over_gaps(found: _Found) -> Array:
    """Return (u_2n − u_n)² / (L_n − L_2n) of neighbouring sizes.

    NaN with fewer than three steps of size, or where the loss does not fall.
    """
    moves, falls = np.diff(found.optima), -np.diff(found.best)
    known = len(found.sweeps) > 3 and bool(np.all(falls > 0))
    return np.asarray(moves**2 / falls if known else np.full(len(moves), np.nan))


def _slope(group: list[Sweep], values: Array) -> float:
    """Return the slope of log2(values) on log2 size; NaN unless all are positive and finite."""
    if len(values) < 2 or not np.all(np.isfinite(values)) or np.any(values <= 0):
        return float("nan")
    x = np.log2([s.size for s in group])
    return float(line(x, np.log2(values)).slope)


def _penalty(own: dict[int, float], rivals: list[dict[int, float]]) -> tuple[float, int, float]:
    common = sorted(set(own).intersection(*rivals))
    # Of rivals whose valley is open nothing is known: they do not count.
    known = [[of[size] for of in rivals if math.isfinite(of[size])] for size in common]
    best = np.array([min(losses, default=math.nan) for losses in known])
    ratio = np.array([own[size] for size in common]) / np.where(best > 0, best, np.nan)
    if not len(ratio) or not np.all(np.isfinite(ratio)):
        return _UNKNOWN, 0, _UNKNOWN
    x = np.log2(np.array(common, dtype=np.float64))
    slope = float(line(x, np.log2(ratio)).slope) if len(common) > 1 else float("nan")
    return float(ratio[-1] - 1), common[-1], slope


def _jackknifed(found: _Found, metric: Callable[[_Found], float]) -> Estimate:
    """Return a metric with its jackknife variance, a seed left out of every size at once.

    Its units are the jackknife's pseudo-values.
    """
    value = metric(found)
    seeds = {sweep.seeds for sweep in found.sweeps}
    if not math.isfinite(value):
        return Estimate(float("nan"))
    if len(seeds) > 1 or min(map(len, seeds)) < 2:
        return Estimate(value)
    (names,) = seeds
    n = len(names)
    others = np.array([metric(found.without(place)) for place in range(n)])
    if not np.all(np.isfinite(others)):
        return Estimate(value)
    pseudo = n * value - (n - 1) * others
    units = (Unit(seed, 0, float(v)) for seed, v in zip(names, pseudo, strict=True))
    return Estimate(value, (Part(float(jackknife_variance(others)), n - 1),), units=tuple(units))
