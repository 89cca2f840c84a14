"""A parabola through three forward passes along the update."""

from __future__ import annotations

import math

import torch

from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Reduce
from lrtransfer.optim.tuners.tuner import Tuner


class ParabolaFit(Tuner):
    """η = σ n/d from φ(−h), φ(0), φ(h) with h the last η: CDAT by forward passes alone.

    n and d are the parabola's −φ'(0) and φ''(0), so slope and curvature are those on the scale of
    a step, not at a point. As in GeN (Bu and Xu 2025, 2407.02772), a parabola that does not open
    upwards or does not descend keeps the last η, and η changes by a bounded factor, which it falls
    by where a probe is not finite; they fit by least squares and accept by R². PAL (Mutschler and
    Zell 2020, 1903.11991) takes two passes and the exact slope.

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        sigma: σ; 1 goes to the parabola's minimum.
        learning_rate: h of the first measurement.
        max_change: Bound on η/(last η) and its inverse.
        every: See `Tuner`.

    Raises:
        ValueError: An option is out of range; see `Tuner`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = ParabolaFit(torch.optim.SGD([w], lr=1.0), learning_rate=0.25)
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> round(opt.learning_rate, 4)
        0.3571
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        sigma: float = 1.0,
        learning_rate: float = 0.001,
        max_change: float = 2.0,
        every: int = 1,
    ) -> None:
        super().__init__(base, reduce, scaler, every=every)
        for name, value in (("sigma", sigma), ("learning_rate", learning_rate)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; give a positive number")
        if not 1 < max_change < math.inf:
            raise ValueError(f"max_change is {max_change}; give a finite factor above 1")
        self._sigma, self._change = sigma, max_change
        self.memory["tuned_rate"] = learning_rate

    def _rate(self, line: Line) -> float:
        last: float = self.memory["tuned_rate"]
        slope, curvature = line.parabola(last)
        if not (-math.inf < slope < 0 < curvature < math.inf):
            return last if math.isfinite(slope + curvature) else last / self._change
        wanted = self._sigma * (-slope / curvature)
        return min(max(wanted, last / self._change), last * self._change)


# Gradient evaluations of a step, for estimates of time.
PRICE = 1.7
TUNER = ParabolaFit
