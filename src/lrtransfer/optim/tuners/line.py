"""The objective along the base optimizer's direction: φ(η) = f(w + ηu)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from lrtransfer.optim.tuners.closure import NonFiniteLossError
from lrtransfer.optim.tuners.forward_over_forward import Task, second_derivative
from lrtransfer.optim.tuners.objective import Objective, norm
from lrtransfer.optim.tuners.sharded import refuse_exact_curvature

Curvature = Literal["double_backward", "forward", "finite_difference"]
CURVATURES: tuple[str, ...] = get_args(Curvature)

# First probe of the finite difference: a thousandth of the weights' length.
_FIRST_PROBE = 1e-3
# Operations of two nested forward-mode derivatives over those of the loss (Roulet et al. 2024).
_FORWARDS_OF_SECOND_DERIVATIVE = 3
# Slopes beyond it or its inverse call for a rescaled direction.
_SMALL_SLOPE = 1e-15


class Line:
    """φ(η) = f(w + ηu) at one step, with what tuners ask of it.

    Attributes:
        objective: f at w.
        direction: u, in the shapes of `objective.members`.
        task: Model, loss and batch, if the user gave them.
        value: φ(0).
        slope: φ'(0) = ∇f·u, negative where u descends.
    """

    def __init__(
        self, objective: Objective, direction: Sequence[Tensor], slope: float, task: Task | None
    ) -> None:
        self.objective = objective
        self.direction = direction
        self.task = task
        self.value = objective.value
        self.slope = slope

    def value_at(self, rate: float) -> float:
        """Return φ(`rate`), one more forward pass; it may not be finite."""
        return self.objective.value_at(rate, self.direction)

    def curvature(self, method: Curvature, probe: float | None) -> float:
        """Return φ''(0) = u·Hu.

        Args:
            method: `double_backward` from the closure's graph; `forward` by two nested
                forward-mode derivatives, which takes `task`; `finite_difference` from
                φ(−h) − 2φ(0) + φ(h).
            probe: h; None takes a thousandth of ‖w‖/‖u‖.

        Raises:
            ValueError: `forward` was asked for without a task.
            NonFiniteLossError: It is NaN or infinite.
        """
        unit = self._unit()
        along = self.direction if unit == 1 else [u / unit for u in self.direction]
        if method == "double_backward":
            found = self.objective.curvature_along(along) * unit**2
        elif method == "forward":
            refuse_exact_curvature(self.direction)
            if self.task is None:
                raise ValueError(
                    "curvature='forward' differentiates the model itself; call "
                    "step(model=, loss_fn=, batch=) instead of step(closure)"
                )
            moved = [m.parameter for m in self.objective.members]
            self.objective.forwards += _FORWARDS_OF_SECOND_DERIVATIVE
            task = self.task
            local = self.objective.closure.replay(lambda: second_derivative(task, moved, along))
            found = self.objective.surroundings.mean(local).item()
            found = (found + self.objective.penalty_curvature(along)) * unit**2
        else:
            _, found = self.parabola(probe)
        if not math.isfinite(found):
            raise NonFiniteLossError(
                f"the curvature along the update is {found}; lower the loss scale or the base's "
                "rates"
            )
        return found

    def parabola(self, probe: float | None) -> tuple[float, float]:
        """Return (φ'(0), φ''(0)) of the parabola through φ(−h), φ(0), φ(h).

        Args:
            probe: h; None or 0 takes a thousandth of ‖w‖/‖u‖.
        """
        h = probe or self._first_probe()
        behind, ahead = self.value_at(-h), self.value_at(h)
        return (ahead - behind) / (2 * h), (ahead - 2 * self.value + behind) / h**2

    def probe_after(self, rate: float, curvature: float) -> float:
        """Return the h for the next finite difference of φ''.

        A tenth of the step, which stays on the scale where the loss is quadratic, but no less
        than where φ''h² is a hundred times the rounding of φ.
        """
        rounding = torch.finfo(self.direction[0].dtype).eps * abs(self.value)
        visible = math.sqrt(100 * rounding / abs(curvature)) if curvature else 0.0
        return max(rate / 10, visible)

    def _unit(self) -> float:
        """Return a power of two as large as u where u·Hu may leave float32, else 1.

        To divide by it and to multiply by its square changes no bit of what float32 holds.
        """
        if _SMALL_SLOPE < abs(self.slope) < 1 / _SMALL_SLOPE:
            return 1.0
        length = norm(self.direction)
        return math.ldexp(1.0, math.frexp(length)[1]) if length else 1.0

    def _first_probe(self) -> float:
        weights = norm([m.parameter.detach() for m in self.objective.members])
        length = norm(self.direction)
        return _FIRST_PROBE * (weights or 1.0) / length if length else 1.0
