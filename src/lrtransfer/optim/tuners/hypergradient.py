"""Hypergradient descent on the learning rate, multiplicative and normalised."""

from __future__ import annotations

import math

import torch

from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Reduce, inner, norm
from lrtransfer.optim.tuners.tuner import Tuner


class Hypergradient(Tuner):
    """η ← η (1 − β cos(∇f(w + ηu), u)), w + ηu the point that the last step reached (eq. 24).

    ∇f there is the gradient of the present step, so the rule costs nothing; with mini-batches it
    is that of the new batch, as in Baydin et al. (2018, 1703.04782). A parameter that one of the
    two steps did not move counts as zero.

    Args:
        base: See `Tuner`.
        reduce: See `Tuner`.
        scaler: See `Tuner`.
        learning_rate: η of the first step.
        beta: β in (0, 1]; the paper takes the best of 1e-3, 1e-2, 1e-1 and 1.

    Raises:
        ValueError: `learning_rate` is not positive or `beta` out of range; see `Tuner`.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> opt = Hypergradient(torch.optim.SGD([w], lr=1.0), learning_rate=0.5)
        >>> loss = opt.step(lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2)
        >>> opt.learning_rate
        0.5
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        learning_rate: float = 0.01,
        beta: float = 0.01,
    ) -> None:
        super().__init__(base, reduce, scaler)
        if not 0 < learning_rate < math.inf:
            raise ValueError(f"learning_rate is {learning_rate}; give a positive rate to start at")
        if not 0 < beta <= 1:
            raise ValueError(f"beta is {beta}; choose it in (0, 1]")
        self._beta = beta
        self.memory |= {"tuned_rate": learning_rate, "update": None}

    def _rate(self, line: Line) -> float:
        rate: float = self.memory["tuned_rate"]
        members = line.objective.members
        if self.memory["update"] is not None:
            last = [
                torch.zeros_like(m.parameter) if u is None else u.to(m.parameter.device)
                for m, u in zip(members, self._last(line), strict=True)
            ]
            lengths = line.objective.gradient_norm * self.memory["length"]
            if lengths > 0:
                rate *= 1 - self._beta * inner(line.objective.gradient, last) / lengths
        moved = {id(m.parameter): u for m, u in zip(members, line.direction, strict=True)}
        self.memory["update"] = [
            moved.get(id(p)) for group in self.param_groups for p in group["params"]
        ]
        self.memory["length"] = norm(line.direction)
        return max(rate, 0.0)

    def _last(self, line: Line) -> list[torch.Tensor | None]:
        """Return the last update of each member of `line`."""
        places = [id(p) for group in self.param_groups for p in group["params"]]
        known = dict(zip(places, self.memory["update"], strict=False))
        return [known.get(id(m.parameter)) for m in line.objective.members]


# Gradient evaluations of a step, for estimates of time.
PRICE = 1.0
TUNER = Hypergradient
