"""The learning rate at a fixed multiple of the inverse sharpness."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lrtransfer.curvature import (
    AsymmetricProductsError,
    NonFiniteCurvatureError,
    eigenvalues,
)
from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Reduce
from lrtransfer.optim.tuners.preconditioner import preconditioner
from lrtransfer.optim.tuners.scaled_hessian import ScaledHessian
from lrtransfer.optim.tuners.tuner import Tuner


class SharpnessRule(Tuner):
    """η = σ/λ_max, whatever the direction (eq. 25).

    σ = 2 is appendix F of Cohen et al. (2021, 2103.00065).

    λ_max is the algebraic one of D^½P^{-½}HP^{-½}D^½ on the closure's batch, with D the relative
    rates and P the base's preconditioner (the identity for SGD), by Lanczos iteration that starts
    from the last eigenvector.

    Args:
        base: See `Tuner`; SGD, RMSProp or Adam in torch's classes.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        sigma: σ.
        max_learning_rate: Cap on η, and η where λ_max ≤ 0; without it η stays there as it was.
        tolerance: Relative residual of the eigenpair.
        every: See `Tuner`.

    Raises:
        ValueError: An option is out of range, or `base` has no known preconditioner; see `Tuner`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = SharpnessRule(torch.optim.SGD([w], lr=1.0), sigma=2.0)
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> round(opt.sharpness, 4), round(opt.learning_rate, 4)
        (3.0, 0.6667)
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        sigma: float = 2.0,
        max_learning_rate: float | None = None,
        tolerance: float = 0.01,
        every: int = 1,
    ) -> None:
        super().__init__(base, reduce, scaler, every=every)
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma is {sigma}; give a positive number; 2 is the edge")
        if max_learning_rate is not None and not max_learning_rate > 0:
            raise ValueError(f"max_learning_rate is {max_learning_rate}; give a positive cap")
        if not 0 < tolerance < 1:
            raise ValueError(f"tolerance is {tolerance}; choose a relative residual in (0, 1)")
        preconditioner(base, [])
        self._sigma, self._tolerance = sigma, tolerance
        self._cap = math.inf if max_learning_rate is None else max_learning_rate
        self._second_order = True
        self.memory |= {"sharpness": math.nan, "products": 0, "eigenvector": None}

    @property
    def sharpness(self) -> float:
        """λ_max at the last measurement."""
        return float(self.memory["sharpness"])

    @property
    def products(self) -> int:
        """Hessian-vector products of the last measurement."""
        return int(self.memory["products"])

    def _rate(self, line: Line) -> float:
        members = line.objective.members
        inverse = preconditioner(self.base, [m.parameter for m in members])
        roots = [(p.reciprocal() * m.rate).sqrt() for m, p in zip(members, inverse, strict=True)]
        operator = ScaledHessian(line.objective, roots)
        start: Tensor | None = self.memory["eigenvector"]
        if start is not None:
            fits = start.shape == (operator.dim,)
            start = start.to(operator.device) if fits else None
        try:
            top = eigenvalues(operator, tolerance=self._tolerance, start=start)
        except NonFiniteCurvatureError as error:
            raise NonFiniteLossError(f"the sharpness is not finite: {error}") from error
        except AsymmetricProductsError:
            # Less than the rounding of a saturated loss, unless it is so from the first step on.
            if self.memory["tuned_rate"] is None:
                raise
            return float(self.memory["tuned_rate"])
        value = top.values[0].item()
        self.memory |= {
            "sharpness": value,
            "products": top.products,
            "eigenvector": top.vectors[0],
        }
        rate = min(self._sigma / value if value > 0 else math.inf, self._cap)
        if math.isfinite(rate):
            return rate
        if self.memory["tuned_rate"] is None:
            raise RuntimeError(
                f"λ_max is {value:.3g} at the first step, so there is no edge of stability; give "
                "max_learning_rate"
            )
        return float(self.memory["tuned_rate"])


# Gradient evaluations of a step, for estimates of time.
PRICE = 20.0
TUNER = SharpnessRule
