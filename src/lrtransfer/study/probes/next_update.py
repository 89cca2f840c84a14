"""The update that a run is about to take on the fixed subset, without taking it."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from lrtransfer.curvature.preconditioner import divisor
from lrtransfer.optim.tuners.closure import RepeatableClosure
from lrtransfer.optim.tuners.direction import Group, direction, member
from lrtransfer.optim.tuners.objective import Objective, Surroundings, dot
from lrtransfer.study.probes import Measurement


@dataclass(frozen=True)
class NextUpdate:
    """w ← w + ηu as a tuner sees it, with f the subset's loss plus coupled weight decay.

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


def next_update(at: Measurement) -> NextUpdate:
    """Return the update that `at.optimizer` would take now on the subset, at every rate D.

    In a full-batch run whose subset is the batch it is the run's own next update. The run's
    weights, gradients and optimizer stay as they are.

    Raises:
        NonFiniteLossError: The loss or its gradient is NaN or infinite.
    """
    groups = at.optimizer.param_groups
    kept = [(p, p.grad) for group in groups for p in group["params"]]
    # Steps on a copy: its moments and counters advance.
    base = copy.deepcopy(at.optimizer)
    real = [member(base, g, p, at.rates[g["name"]]) for g in groups for p in g["params"]]
    copies = [
        member(base, g, p, at.rates[g["name"]]) for g in base.param_groups for p in g["params"]
    ]
    closure = RepeatableClosure(
        lambda: at.loss(at.model(at.inputs), at.targets), [m.parameter for m in real]
    )
    try:
        objective = Objective(closure, real, Surroundings(), keep_graph=True)
    finally:
        for parameter, gradient in kept:
            parameter.grad = gradient
    reached = {id(m.parameter) for m in objective.members}
    stepped = [c for r, c in zip(real, copies, strict=True) if id(r.parameter) in reached]
    update = direction(base, stepped, objective.gradient)
    group_of = {id(p): group for group in base.param_groups for p in group["params"]}
    roots = [
        (m.rate / _preconditioner(base, group_of[id(m.parameter)], m.parameter)).sqrt()
        for m in stepped
    ]
    return NextUpdate(objective, update, roots, dot(objective.gradient, update).item())


def _preconditioner(base: torch.optim.Optimizer, group: Group, parameter: Tensor) -> Tensor:
    """Return what the entries of the last update were divided by."""
    if not isinstance(base, torch.optim.Adam | torch.optim.RMSprop):
        return torch.ones_like(parameter, requires_grad=False)
    state = base.state[parameter]
    found = divisor(group, state)
    # That of Adam holds the momentum's bias correction, which is no part of P here.
    return found / (1 - group["betas"][0] ** float(state["step"])) if "betas" in group else found
