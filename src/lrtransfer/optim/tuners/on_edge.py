"""The learning rate on the edge of the quadratic model: CDAT with σ = 2."""

from __future__ import annotations

import torch

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.line import Curvature
from lrtransfer.optim.tuners.objective import Reduce


class OnEdge(CDAT):
    """η = max{η ≥ 0: q(η) ≤ q(0)} = −2g·u/(u·Hu), q the quadratic model along u (eq. 7).

    On a quadratic loss the loss stays the same for ever.
    Where u·Hu ≤ 0 the model has no minimum; CDAT's |u·Hu| stands for it.

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        decay: See `CDAT`.
        eps: See `CDAT`.
        max_learning_rate: See `CDAT`.
        max_growth: See `CDAT`.
        curvature: See `CDAT`.
        every: See `Tuner`.
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        decay: float = 0.0,
        eps: float = 0.0,
        max_learning_rate: float | None = None,
        max_growth: float | None = None,
        curvature: Curvature = "double_backward",
        every: int = 1,
    ) -> None:
        super().__init__(
            base,
            reduce,
            scaler,
            sigma=2.0,
            decay=decay,
            eps=eps,
            max_learning_rate=max_learning_rate,
            max_growth=max_growth,
            curvature=curvature,
            every=every,
        )


# Gradient evaluations of a step, for estimates of time.
PRICE = 3.0
TUNER = OnEdge
