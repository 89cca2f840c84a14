"""CDAT: the learning rate that keeps training at the edge of stability (2407.06183)."""

from __future__ import annotations

import math
from typing import Any

import torch

from lrtransfer.optim.tuners.line import CURVATURES, Curvature, Line
from lrtransfer.optim.tuners.objective import Reduce
from lrtransfer.optim.tuners.tuner import Tuner


class CDAT(Tuner):
    """Curvature Dynamics Aware Tuning: η = σ n/d, n = max(−g·u, 0), d = |u·Hu| + ε.

    Equation 8 of Roulet et al. (2024, 2407.06183). σ = 1 minimizes the quadratic model along u,
    σ = 2 stays on its level set, on the edge of stability: for u = −P⁻¹g and H ⪰ 0,
    η λ_max(P^{-½}HP^{-½}) ≥ σ always. η·u depends neither on the length of u nor on a factor of
    the loss.

    Where u ascends (n = 0), η = 0. Where n > 0 and d = 0 the model has no edge: η is the least of
    its caps, or the last positive η.

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        sigma: σ.
        decay: β of moving averages of n and of d, each by itself; the ratio needs no bias
            correction. The paper uses 0, 0.9 and 0.99: necessary for Adam and for mini-batches.
        eps: ε of d.
        max_learning_rate: Cap on η; the paper has none.
        max_growth: Cap on η over the last positive η; the paper has none. It bounds no first η.
        initial_learning_rate: Cap on η until one is positive, for directions that are far too long
            at first (RMSProp without bias correction); η grows from there by `max_growth`.
        curvature: How u·Hu is found: `double_backward` from the closure's graph, `forward`
            by nested forward-mode derivatives (for `step(model=, loss_fn=, batch=)`), or
            `finite_difference` from two more forward passes.
        every: See `Tuner`.

    Raises:
        ValueError: An option is out of range; see `Tuner`.

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = CDAT(torch.optim.SGD([w], lr=1.0), sigma=1.0)
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> loss.item(), round(opt.learning_rate, 4)  # 10/28
        (2.0, 0.3571)
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        sigma: float = 2.0,
        decay: float = 0.0,
        eps: float = 0.0,
        max_learning_rate: float | None = None,
        max_growth: float | None = None,
        initial_learning_rate: float | None = None,
        curvature: Curvature = "double_backward",
        every: int = 1,
    ) -> None:
        super().__init__(base, reduce, scaler, every=every)
        _check(
            sigma,
            decay,
            eps,
            max_growth,
            max_learning_rate=max_learning_rate,
            initial_learning_rate=initial_learning_rate,
        )
        if curvature not in CURVATURES:
            raise ValueError(f"curvature is {curvature!r}; choose one of {', '.join(CURVATURES)}")
        self.sigma = sigma
        self._decay = decay
        self._eps = eps
        self._cap = math.inf if max_learning_rate is None else max_learning_rate
        self._growth = math.inf if max_growth is None else max_growth
        self._first = math.inf if initial_learning_rate is None else initial_learning_rate
        self._method: Curvature = curvature
        self._second_order = curvature == "double_backward"
        self.memory |= {
            "numerator": 0.0,
            "denominator": 0.0,
            "directional_sharpness": math.nan,
            "last_positive": None,
            "probe": None,
        }

    @property
    def numerator(self) -> float:
        """The n of the last measurement, its moving average if `decay` is set."""
        return float(self.memory["numerator"])

    @property
    def denominator(self) -> float:
        """The d of the last measurement, its moving average if `decay` is set."""
        return float(self.memory["denominator"])

    @property
    def directional_sharpness(self) -> float:
        """u·Hu / (−g·u) at the last measurement, without average and signed; NaN if g·u = 0."""
        return float(self.memory["directional_sharpness"])

    def _rate(self, line: Line) -> float:
        curvature = line.curvature(self._method, self.memory["probe"])
        self.memory["directional_sharpness"] = curvature / -line.slope if line.slope else math.nan
        for name, new in (
            ("numerator", max(-line.slope, 0.0)),
            ("denominator", abs(curvature) + self._eps),
        ):
            self.memory[name] = (1 - self._decay) * new + self._decay * self.memory[name]
        rate = self._bounded(self._edge_rate())
        if rate > 0:
            self.memory["last_positive"] = rate
            self.memory["probe"] = line.probe_after(rate, curvature)
        return rate

    def _edge_rate(self) -> float:
        """Return σn/d, infinite where the model has no edge."""
        if self.numerator == 0:
            return 0.0
        if self.denominator == 0:
            return math.inf
        return self.sigma * (self.numerator / self.denominator)

    def _bounded(self, rate: float) -> float:
        last: float | None = self.memory["last_positive"]
        bound = min(rate, self._cap, self._first if last is None else self._growth * last)
        if math.isfinite(bound):
            return bound
        if last is None:
            raise RuntimeError(
                "the loss has no curvature along the first update, so there is no edge of "
                "stability; give max_learning_rate or initial_learning_rate"
            )
        return last


def _check(
    sigma: float, decay: float, eps: float, growth: float | None, **caps: float | None
) -> None:
    bounds: dict[str, tuple[Any, bool, str]] = {
        "sigma": (sigma, 0 < sigma < math.inf, "give a positive number; 2 is the edge"),
        "decay": (decay, 0 <= decay < 1, "choose it in [0, 1)"),
        "eps": (eps, 0 <= eps < math.inf, "it must not be negative"),
        "max_growth": (growth, growth is None or growth > 1, "give a factor above 1, or None"),
    }
    for name, cap in caps.items():
        bounds[name] = (cap, cap is None or cap > 0, "give a positive cap, or None")
    for name, (value, fits, remedy) in bounds.items():
        if not fits:
            raise ValueError(f"{name} is {value}; {remedy}")


# Gradient evaluations of a step, for estimates of time.
PRICE = 3.0
TUNER = CDAT
