"""The base optimizer at a constant learning rate, through the tuners' interface."""

from __future__ import annotations

import math

import torch

from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Reduce
from lrtransfer.optim.tuners.tuner import Tuner


class Constant(Tuner):
    """η is always `learning_rate`: what every tuner is compared with.

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        learning_rate: η.

    Raises:
        ValueError: `learning_rate` is negative or not finite, or see `Tuner`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = Constant(torch.optim.SGD([w], lr=1.0), learning_rate=0.5)
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> w.tolist()
        [0.5, -0.5]
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        learning_rate: float = 0.01,
    ) -> None:
        super().__init__(base, reduce, scaler)
        if not 0 <= learning_rate < math.inf:
            raise ValueError(f"learning_rate is {learning_rate}; give a finite rate of at least 0")
        self._constant = learning_rate

    def _rate(self, line: Line) -> float:
        return self._constant


# Gradient evaluations of a step, for estimates of time.
PRICE = 1.0
TUNER = Constant
