"""Drift of the optimum with size: the power law's slope, in octaves of rate per octave of size."""

from __future__ import annotations

from dataclasses import dataclass

from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.laws import fit
from lrtransfer.transfer.size import Axis
from lrtransfer.transfer.sweeps import Sweep, groups_of


@dataclass(frozen=True)
class Drift:
    """How the optimum of one arm moves along the one axis of a study.

    Attributes:
        slope: the estimate; its units are the seeds' pseudo-values at all sizes. An optimum at the
            grid's edge enters with that edge, so the slope is a bound there: open on the side to
            which the true one may lie. Unknown below two sizes.
        n_sizes: how many sizes have an optimum.
    """

    arm: str
    axis: Axis
    fixed: int
    slope: Estimate
    n_sizes: int


def drifts(sweeps: list[Sweep]) -> list[Drift]:
    """Return the drift of every arm and fixed value.

    Example:
        >>> from lrtransfer.transfer.drift import drifts
        >>> import numpy as np
        >>> from lrtransfer.transfer.sweeps import Sweep
        >>> grid = np.arange(-9.0, 0.0)  # log2 of the rate
        >>> losses = np.exp([(grid + 4 + seed) ** 2 / 20 for seed in (0.0, 0.1)])
        >>> def swept(width):
        ...     return Sweep("mup", {"width": width}, (0, 1), grid, losses, losses > 1e9)
        >>> round(abs(drifts([swept(64), swept(128), swept(256)])[0].slope.value), 3)
        0.0
    """
    return [
        Drift(g[0].arm, g[0].axis, g[0].fixed, drift(g), sum(s.has_optimum for s in g))
        for g in groups_of(sweeps)
    ]


def drift(group: list[Sweep]) -> Estimate:
    """Return the drift of one arm from its sweeps at several sizes."""
    if not any(s.has_optimum for s in group):
        return Estimate(float("nan"))
    law = fit(group)
    if law.axes:
        return law.drift
    return Estimate(float("nan"), units=law.vertices.units)
