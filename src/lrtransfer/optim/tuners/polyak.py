"""Polyak's learning rate."""

from __future__ import annotations

import math

import torch

from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Reduce
from lrtransfer.optim.tuners.tuner import Tuner


class Polyak(Tuner):
    """η = min((f(w) − f*)/(−g·u), η_max), for u = −g the rule of Polyak (1987) (eq. 23).

    η = 0 where u does not descend or the loss is below f*.

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        minimum: f*, the loss that can be reached at best.
        max_learning_rate: η_max; the paper takes the better of 1 and 100.
        every: See `Tuner`.

    Raises:
        ValueError: `minimum` is not finite or `max_learning_rate` not positive; see `Tuner`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = Polyak(torch.optim.SGD([w], lr=1.0))
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> opt.learning_rate
        0.2
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        minimum: float = 0.0,
        max_learning_rate: float = 1.0,
        every: int = 1,
    ) -> None:
        super().__init__(base, reduce, scaler, every=every)
        if not math.isfinite(minimum):
            raise ValueError(f"minimum is {minimum}; give the smallest loss to hope for")
        if not 0 < max_learning_rate < math.inf:
            raise ValueError(f"max_learning_rate is {max_learning_rate}; give a positive rate")
        self._minimum, self._largest = minimum, max_learning_rate

    def _rate(self, line: Line) -> float:
        gap, descent = line.value - self._minimum, -line.slope
        if gap <= 0 or descent <= 0:
            return 0.0
        return gap / descent if gap < self._largest * descent else self._largest


# Gradient evaluations of a step, for estimates of time.
PRICE = 1.0
TUNER = Polyak
