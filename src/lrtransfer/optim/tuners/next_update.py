"""The update that an optimizer is about to take on a batch, without taking it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lrtransfer.optim.tuners.closure import RepeatableClosure
from lrtransfer.optim.tuners.direction import direction, member
from lrtransfer.optim.tuners.objective import Objective, Surroundings, inner
from lrtransfer.optim.tuners.preconditioner import preconditioner
from lrtransfer.optim.tuners.scaled_hessian import ScaledHessian


@dataclass(frozen=True)
class NextUpdate:
    """w ← w + ηu as a tuner sees it, with f the batch's loss plus coupled weight decay.

    Attributes:
        objective: f at w, with the graph for products with its Hessian.
        direction: u of every parameter: the optimizer's update at η = 1.
        roots: (D/P)^½ of every parameter, P the preconditioner that u was divided by.
        slope: ∇f·u.
    """

    objective: Objective
    direction: list[Tensor]
    roots: list[Tensor]
    slope: float

    def hessian(self) -> ScaledHessian:
        """Return S∇²f S with S the diagonal of `roots`, whose largest eigenvalue is the edge's."""
        return ScaledHessian(self.objective, self.roots)

    def alignment(self, vector: Tensor) -> float:
        """Return |cos(S⁻¹u, `vector`)|, `vector` in the coordinates of `hessian`, shape (dim,)."""
        pieces = [
            torch.where(root > 0, u / root, 0.0).reshape(-1)
            for u, root in zip(self.direction, self.roots, strict=True)
        ]
        update = torch.cat(pieces)
        return abs(float(torch.nn.functional.cosine_similarity(update, vector, dim=0)))

    def curvature(self) -> float:
        """Return u·∇²f u; the objective's graph is freed."""
        return self.objective.curvature_along(self.direction)

    def change(self, rate: float) -> float:
        """Return f(w + `rate`·u) − f(w), which may not be finite."""
        return self.objective.value_at(rate, self.direction) - self.objective.value


def next_update(
    optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor], rates: Mapping[str, float]
) -> NextUpdate:
    """Return the update that `optimizer` would take now, at the rates D.

    Weights, gradients and the optimizer stay as they are.

    Args:
        optimizer: SGD, RMSProp, Adam or AdamW, with a `name` in each group.
        loss: The loss on the batch as a function of the parameters.
        rates: Name of a group -> D, its learning rate over the global one.

    Raises:
        NonFiniteLossError: The loss or its gradient is NaN or infinite.
        ValueError: The preconditioner of such an optimizer is unknown.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> base = torch.optim.SGD([{"params": [w], "lr": 0.1, "name": "w"}])
        >>> coming = next_update(base, lambda: 0.5 * w[0] ** 2 + 1.5 * w[1] ** 2, {"w": 1.0})
        >>> coming.slope, coming.curvature(), w.tolist()
        (-10.0, 28.0, [1.0, 1.0])
    """
    groups = optimizer.param_groups
    kept = [(p, p.grad) for group in groups for p in group["params"]]
    # Steps on a copy: its moments and counters advance.
    base = copy.deepcopy(optimizer)
    real = [member(base, g, p, rates[g["name"]]) for g in groups for p in g["params"]]
    copies = [member(base, g, p, rates[g["name"]]) for g in base.param_groups for p in g["params"]]
    closure = RepeatableClosure(loss, [m.parameter for m in real])
    try:
        objective = Objective(closure, real, Surroundings(), keep_graph=True)
    finally:
        for parameter, gradient in kept:
            parameter.grad = gradient
    reached = {id(m.parameter) for m in objective.members}
    stepped = [c for r, c in zip(real, copies, strict=True) if id(r.parameter) in reached]
    update = direction(base, stepped, objective.gradient)
    divided = preconditioner(base, [m.parameter for m in stepped])
    roots = [(m.rate / p.detach()).sqrt() for m, p in zip(stepped, divided, strict=True)]
    return NextUpdate(objective, update, roots, inner(objective.gradient, update))
