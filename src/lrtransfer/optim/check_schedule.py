"""Whether a learning-rate schedule keeps the groups' ratios: a dry run on a stand-in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from lrtransfer.optim.check_optimizer import label

Group = dict[str, Any]

_TOLERANCE = 1e-6  # of a ratio; schedules multiply step by step
_NOTHING = 1e-6  # of a planned rate, with which nothing trains


class ScheduleError(ValueError):
    """A schedule that overwrites the groups' rates instead of multiplying them."""


def check_schedule(
    optimizer: torch.optim.Optimizer,
    make_scheduler: Callable[[torch.optim.Optimizer], Any],
    *,
    steps: int = 1000,
) -> None:
    """Check that a schedule multiplies the rates of all groups by one factor, at every step.

    Relative rates are what a parameterization consists of, and a schedule with an absolute number
    (`eta_min` of CosineAnnealingLR, scalar `max_lr` of OneCycleLR) overwrites them. The schedule
    runs dry, on groups like those of `optimizer` without its tensors; it and its state stay.

        lt.check_schedule(opt, lambda opt: CosineAnnealingLR(opt, 1000), steps=1000)

    Args:
        optimizer: Any optimizer of torch with several groups.
        make_scheduler: Optimizer -> its scheduler, as it is to be used. One that waits for a
            metric gets a constant one, on which it lowers the rates as often as it can.
        steps: How often it is stepped; give the length of the training.

    Raises:
        ScheduleError: A ratio changes; the message names the schedule, the step and the group. Or
            a schedule that the optimizer has already changed one; it names two groups.

    Example:
        >>> import torch
        >>> from torch.optim.lr_scheduler import CosineAnnealingLR
        >>> import lrtransfer as lt
        >>> a, b = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
        >>> opt = torch.optim.SGD([{"params": [a], "lr": 1.6}, {"params": [b], "lr": 0.1}])
        >>> lt.check_schedule(opt, lambda opt: CosineAnnealingLR(opt, 1000))
        >>> lt.check_schedule(opt, lambda opt: CosineAnnealingLR(opt, 1000, eta_min=0.01))
        Traceback (most recent call last):
        lrtransfer.optim.check_schedule.ScheduleError: CosineAnnealingLR does not multiply ...
    """
    planned = [_planned(group) for group in optimizer.param_groups]
    if not any(planned):
        raise ScheduleError("every group has the rate 0. Give the optimizer its rates first.")
    _check_planned(optimizer, planned)
    stand_in = _StandIn(optimizer)
    scheduler = make_scheduler(stand_in)
    _check(stand_in, planned, scheduler, 0)
    for step in range(1, _length(scheduler, steps) + 1):
        stand_in.step()
        _advance(scheduler)
        _check(stand_in, planned, scheduler, step)


class _StandIn(torch.optim.Optimizer):
    """Groups like another optimizer's, one empty tensor each, and steps that do nothing."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        groups = [
            {
                # A copy: schedules fill a rate that is a tensor in place.
                **{name: deepcopy(value) for name, value in group.items() if name != "params"},
                "params": [nn.Parameter(torch.empty(0))],
                "lr": _like(group["lr"], _planned(group)),
            }
            for group in optimizer.param_groups
        ]
        for group in groups:
            if "initial_lr" in group:  # a schedule that is resumed asks for it
                group["initial_lr"] = group["lr"]
            if "param_names" in group:
                group["param_names"] = group["param_names"][:1]
        super().__init__(groups, dict(optimizer.defaults))

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Do nothing."""


def _planned(group: Group) -> float:
    rate: Any = group.get("initial_lr", group["lr"])
    return float(rate)


def _check_planned(optimizer: torch.optim.Optimizer, planned: list[float]) -> None:
    """Hold the rates of groups that have a schedule already against their relative rates."""
    rates = [
        (rate / group["relative_rate"], label(group, f"group {index}"))
        for index, (group, rate) in enumerate(zip(optimizer.param_groups, planned, strict=True))
        if "initial_lr" in group and group.get("relative_rate") and rate
    ]
    (least, low), (most, high) = min(rates, default=(1.0, "")), max(rates, default=(1.0, ""))
    if most - least > _TOLERANCE * most:
        raise ScheduleError(
            f"the rates of {low} and {high} are not in the ratio that they were planned with: a "
            "schedule that the optimizer has already overwrote them. Make the optimizer anew."
        )


def _like(old: float | Tensor, rate: float) -> float | Tensor:
    return torch.full_like(old, rate) if isinstance(old, Tensor) else rate


def _length(scheduler: Any, steps: int) -> int:
    """Return how often the schedule may be stepped: OneCycleLR refuses to go on after its end."""
    parts = _parts(scheduler)
    return min([steps, *(p.total_steps - 1 for p in parts if isinstance(p, OneCycleLR))])


def _parts(scheduler: Any) -> list[Any]:
    return [scheduler, *(p for s in getattr(scheduler, "_schedulers", []) for p in _parts(s))]


def _advance(scheduler: Any) -> None:
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(1.0)
    else:
        scheduler.step()


def _check(stand_in: _StandIn, planned: list[float], scheduler: Any, step: int) -> None:
    groups = stand_in.param_groups
    rates = [float(group["lr"]) for group in groups]
    reference = planned.index(max(planned))
    common = rates[reference] / planned[reference]
    for index, (rate, plan) in enumerate(zip(rates, planned, strict=True)):
        # A group that is planned to stand still may not move.
        factor = rate / plan if plan else common + rate
        larger = max(abs(factor), abs(common))
        if abs(factor - common) > _TOLERANCE * larger and larger > _NOTHING:
            own, other = (label(groups[i], f"group {i}") for i in (index, reference))
            raise ScheduleError(
                f"{_name(scheduler)} does not multiply all rates by one factor: at step {step} "
                f"{own} is at {factor:.3g} of its rate and {other} at {common:.3g}. Use factors "
                "(LambdaLR), 0 for eta_min and min_lr, or a list with a number for each group."
            )


def _name(scheduler: Any) -> str:
    """Return the class of a schedule, in a sequence of the part that acts."""
    milestones = getattr(scheduler, "_milestones", None)
    if milestones is None:
        return type(scheduler).__name__
    part = scheduler._schedulers[bisect_right(milestones, scheduler.last_epoch)]
    return f"{_name(part)} in {type(scheduler).__name__}"
