"""Backtracking line search (Armijo), as in optax and Roulet et al. (2024, 2407.06183)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch

from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Reduce
from lrtransfer.optim.tuners.tuner import Tuner


class BacktrackingLineSearch(Tuner):
    """η is the first of η₀, c₋η₀, c₋²η₀, … with f(w + ηu) ≤ (1 + δ)f(w) + c·η·g·u (eq. 26).

    The first trial is η₀ = min(c₊ · last η, `max_learning_rate`), and `max_learning_rate` itself
    at step 0. The paper's 16 settings are c ∈ {0, 1e-4, 0.5} × c₊ ∈ {4, ∞} × c₋ ∈ {0.8, 0.9}, and
    for c = 0 also δ = 1e-3. They are optax's `scale_by_backtracking_linesearch` with slope_rtol,
    increase_factor, decrease_factor, rtol and max_learning_rate=1.

    A trial whose loss is NaN or infinite is refused. Where u does not descend, η = 0. Where no
    trial is accepted, `exhausted` says what happens, `failures` counts it, and the next search
    goes on from the smallest η tried; optax would take that η (`smallest`).

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        sufficient_decrease: c in [0, 1).
        slack: δ ≥ 0; with 0 the search may stay stuck at vanishing rates.
        increase: c₊ ≥ 1; None is ∞.
        decrease: c₋ in (0, 1).
        max_learning_rate: The largest η tried.
        max_backtracks: Trials after the first; the paper has no limit in full batch, and 30
            else.
        exhausted: `stay` keeps the parameters, `smallest` takes the smallest η tried if its
            loss was finite.
        every: See `Tuner`.

    Raises:
        ValueError: An option is out of range; see `Tuner`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = BacktrackingLineSearch(torch.optim.SGD([w], lr=1.0), decrease=0.5)
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> opt.learning_rate, opt.trials
        (0.5, 2)
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        sufficient_decrease: float = 1e-4,
        slack: float = 0.0,
        increase: float | None = 4.0,
        decrease: float = 0.8,
        max_learning_rate: float = 1.0,
        max_backtracks: int = 100,
        exhausted: Literal["stay", "smallest"] = "stay",
        every: int = 1,
    ) -> None:
        super().__init__(base, reduce, scaler, every=every)
        growth = math.inf if increase is None else increase
        bounds: dict[str, tuple[Any, bool, str]] = {
            "sufficient_decrease": (
                sufficient_decrease,
                0 <= sufficient_decrease < 1,
                "choose it in [0, 1)",
            ),
            "slack": (slack, 0 <= slack < math.inf, "it must not be negative"),
            "increase": (increase, growth >= 1, "give a factor of at least 1, or None for ∞"),
            "decrease": (decrease, 0 < decrease < 1, "choose it in (0, 1)"),
            "max_learning_rate": (
                max_learning_rate,
                0 < max_learning_rate < math.inf,
                "give a positive rate",
            ),
            "max_backtracks": (max_backtracks, max_backtracks >= 0, "give 0 or more"),
            "exhausted": (exhausted, exhausted in ("stay", "smallest"), "stay or smallest"),
        }
        for name, (value, fits, remedy) in bounds.items():
            if not fits:
                raise ValueError(f"{name} is {value}; {remedy}")
        self._c, self._slack = sufficient_decrease, slack
        self._increase, self._decrease = growth, decrease
        self._largest, self._backtracks = max_learning_rate, max_backtracks
        self._take_smallest = exhausted == "smallest"
        self.memory |= {"last_tried": max_learning_rate, "failures": 0, "trials": 0}

    @property
    def failures(self) -> int:
        """Searches so far that accepted no trial."""
        return int(self.memory["failures"])

    @property
    def trials(self) -> int:
        """Extra forward passes so far."""
        return int(self.memory["trials"])

    def _rate(self, line: Line) -> float:
        if line.slope >= 0:
            return 0.0
        rate = self._largest
        if math.isfinite(self._increase):
            rate = min(self._increase * self.memory["last_tried"], self._largest)
        for trial in range(self._backtracks + 1):
            rate = self._decrease * rate if trial else rate
            value = line.value_at(rate)
            self.memory["trials"] += 1
            if value <= (1 + self._slack) * line.value + self._c * rate * line.slope:
                self.memory["last_tried"] = rate
                return rate
        self.memory["last_tried"] = rate
        self.memory["failures"] += 1
        return rate if self._take_smallest and math.isfinite(value) else 0.0


# Gradient evaluations of a step, for estimates of time.
PRICE = 2.0
TUNER = BacktrackingLineSearch
