"""What every tuner shares: one step with a closure, its state, schedules and safeguards."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.optim.tuners.closure import Closure, NonFiniteLossError, RepeatableClosure
from lrtransfer.optim.tuners.direction import Member, check_base, direction, member
from lrtransfer.optim.tuners.forward_over_forward import Task
from lrtransfer.optim.tuners.line import Line
from lrtransfer.optim.tuners.objective import Objective, Reduce, Surroundings, inner
from lrtransfer.optim.tuners.transaction import Snapshot, Undo, claimed

# A group's rate at a schedule's factor 1. Not `initial_lr`, which OneCycleLR overwrites.
_UNSCHEDULED = "unscheduled_lr"


class Tuner(torch.optim.Optimizer, ABC):
    """Wraps an optimizer and chooses its global learning rate η at every step: w ← w + ηu.

    u is what `base` would do at learning rate 1: its whole update, momentum and preconditioner
    included, with each group at its relative rate D_i. D_i is the group's `relative_rate` if it
    has one (as from `lrtransfer.parameterize`), else its `lr` at construction; so give the base
    `lr=1.0`, or the relative rates. What changes the groups' `lr` later (a scheduler on the tuner
    or on the base) multiplies the tuned η: with warm-up factor c the step is c·η·u.

    Coupled weight decay (SGD, Adam, …) is part of the loss being tuned; decoupled decay (AdamW)
    takes no part in the measurement and is applied beside the step, w ← (1 − cηD_iλ)w + cηu.

    Gradients are those that the tuner takes of the returned loss; after a step they are in
    `grad`. Frozen parameters and those that the loss does not reach stay. To clip, register a
    step pre-hook on the base, over the model's parameters or the groups': it changes u, not the
    measured gradient.

    A step is whole or did not happen: after an error or Ctrl-C at any moment of it parameters,
    buffers, `grad`, the base's and the tuner's state, and torch's random state are as before.
    Tuners in several threads may step different models; one model belongs to one thread at a time.

    Attributes:
        base: The optimizer.
        last_update: u of the last step, one tensor for each parameter that moved; not part of the
            state.

    Args:
        base: The optimizer; it must not be stepped by anyone else.
        reduce: Data-parallel training: tensor -> its mean over the workers. The closure returns
            the loss of the local batch through the bare module (gradients here do not pass
            through DistributedDataParallel).
        scaler: Loss scaling for float16 autocast: `opt.step(closure)`, then `scaler.update()`. A
            step whose scaled gradient or curvature overflows is skipped.
        every: Measure at steps 0, k, 2k, … and keep the learning rate in between.

    Raises:
        TypeError: `base` is no optimizer.
        ValueError: `base` cannot be wrapped, every group has rate 0, or `every` is no whole number
            of at least 1.
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        reduce: Reduce | None = None,
        scaler: torch.amp.GradScaler | None = None,
        *,
        every: int = 1,
    ) -> None:
        check_base(base)
        if isinstance(base, Tuner):
            raise ValueError(
                f"base is a tuner, {type(base).__name__}; give the optimizer that it wraps"
            )
        if not (every >= 1 and float(every).is_integer()):
            raise ValueError(f"every is {every}; measure at least every 1 steps")
        super().__init__(base.param_groups, base.defaults)
        self.base = base
        self.every = every
        # Whether `_rate` differentiates the closure's graph a second time.
        self._second_order = False
        # By order of differentiation, what a loss reached whose graph was found sound.
        self._checked: dict[bool, frozenset[int]] = {}
        enabled = scaler is not None and scaler.is_enabled()
        self._surroundings = Surroundings(reduce, scaler if enabled else None)
        self.memory: dict[str, Any] = {
            "steps": 0,
            "tuned_rate": None,
            "learning_rate": None,
            "gradient_evaluations": 0.0,
        }
        self.last_update: list[Tensor] | None = None
        self._share()
        if not any(group["relative_rate"] and group[_UNSCHEDULED] for group in self.param_groups):
            raise ValueError("every group of base has lr 0; give lr=1.0, or the relative rates")

    @property
    def learning_rate(self) -> float | None:
        """η of the last step, the factor of a schedule included; None before the first."""
        rate: float | None = self.memory["learning_rate"]
        return rate

    @property
    def gradient_evaluations(self) -> float:
        """What all steps so far cost, in gradients of the same batch, by counting operations.

        A backward pass has the operations of two forward passes, and a product with the Hessian
        those of two gradients.
        """
        return float(self.memory["gradient_evaluations"])

    @property
    def steps(self) -> int:
        """Steps taken; skipped ones do not count."""
        count: int = self.memory["steps"]
        return count

    @abstractmethod
    def _rate(self, line: Line) -> float:
        """Return η for the step along `line`, finite and not negative."""

    def step(  # type: ignore[override]
        self,
        closure: Closure | None = None,
        *,
        model: nn.Module | None = None,
        loss_fn: Callable[[Any, Any], Tensor] | None = None,
        batch: tuple[Any, Any] | None = None,
    ) -> Tensor:
        """Differentiate the loss, choose η and move the parameters.

        Args:
            closure: Returns the loss with its graph; a function of the parameters alone, called
                once or, by tuners that search, several times.
            model: With `loss_fn` and `batch` instead of a closure.
            loss_fn: (outputs, targets) -> mean over samples.
            batch: (inputs, targets).

        Returns:
            The loss before the step, without a graph.

        Raises:
            ValueError: Neither or both of closure and model, loss_fn, batch are given, or the graph
                would drop derivatives in silence (reentrant checkpointing, a function marked
                `once_differentiable`).
            ClosureError: The closure called backward or returned no loss with a graph.
            NonFiniteLossError: Loss, gradient or curvature is NaN or infinite.
            RuntimeError: Another thread is stepping the same parameters.
        """
        loss_of, task = _told(closure, model, loss_fn, batch)
        self._share()
        factor, members = self._schedule()
        parameters = [m.parameter for m in members]
        with claimed(parameters):
            repeatable = RepeatableClosure(loss_of, parameters)
            before = Snapshot(self.base, parameters, self.memory)
            last = partial(setattr, self, "last_update", self.last_update)
            with (
                Undo(self._forget_scaled),
                Undo(before.restore, repeatable.restore, last) as undo,
            ):
                measuring = self.steps % self.every == 0
                keep_graph = measuring and self._second_order
                objective = Objective(
                    repeatable,
                    members,
                    self._surroundings,
                    keep_graph=keep_graph,
                    checked=self._checked,
                )
                self._checked[keep_graph] = objective.reached
                update = self._chosen(objective, task, measuring)
                self._tell_scaler(objective, overflowed=update is None)
                if update is None:
                    undo()
                else:
                    self._apply(objective, update, factor * self.memory["tuned_rate"])
        return objective.loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients; `step` does so by itself."""
        self.base.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]
        """Return the state of the base and of the tuner; options are not part of it."""
        memory = {name: _copied(value) for name, value in self.memory.items()}
        return {
            "tuner": type(self).__name__,
            "optimizer": type(self.base).__name__,
            "memory": memory,
            "base": self.base.state_dict(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:  # type: ignore[override]
        """Continue from `state_dict`, bit for bit.

        Raises:
            ValueError: It is not the state of such a tuner around such a base, or holds a rate that
                is no rate.
        """
        if set(state_dict) - {"optimizer"} != {"tuner", "memory", "base"}:
            raise ValueError("state_dict is not a tuner's; to load the base alone use opt.base")
        own = {"tuner": type(self).__name__, "optimizer": type(self.base).__name__}
        for part, name in own.items():
            if state_dict.get(part, name) != name:
                raise ValueError(f"state_dict is of {state_dict[part]}; this is {name}")
        memory = {name: _copied(value) for name, value in state_dict["memory"].items()}
        for name in ("tuned_rate", "learning_rate"):
            if not (memory.get(name) is None or 0 <= memory[name] < math.inf):
                raise ValueError(
                    f"{name} in state_dict is {memory[name]}; load a state from before it broke"
                )
        self.base.load_state_dict(state_dict["base"])
        self.memory = memory
        self._share()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the base."""
        # Optimizer's own constructor comes here with the groups that the base already has.
        if "base" in vars(self):
            self.base.add_param_group(param_group)
            self._share()
        else:
            self.param_groups.append(param_group)

    def __getstate__(self) -> dict[str, Any]:
        # A scheduler hangs a `step` on the instance that is bound to this very one.
        return {name: value for name, value in vars(self).items() if name != "step"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r})"

    def _share(self) -> None:
        """Be one with the base in groups and state, also after the base loaded its own."""
        self.param_groups = self.base.param_groups
        self.state = self.base.state
        for group in self.param_groups:
            group.setdefault("initial_lr", float(group["lr"]))
            # `max_lr` is what OneCycleLR, where it was first, calls the peak.
            group.setdefault(_UNSCHEDULED, float(group.get("max_lr", group["initial_lr"])))
            group.setdefault("relative_rate", group[_UNSCHEDULED])

    def _schedule(self) -> tuple[float, list[Member]]:
        """Return the schedule's factor c and the parameters with their rates.

        A factor that differs between groups changes their relative rates: c is the largest.
        """
        factors = [
            float(group["lr"]) / group[_UNSCHEDULED] if group[_UNSCHEDULED] else 0.0
            for group in self.param_groups
        ]
        common = max(factors)
        if not (math.isfinite(common) and min(factors) >= 0):
            raise ValueError("a group's lr is negative or not finite; check the schedule")
        members = [
            member(
                self.base, group, p, group["relative_rate"] * (factor / common if common else 1.0)
            )
            for group, factor in zip(self.param_groups, factors, strict=True)
            for p in group["params"]
            if p.requires_grad
        ]
        return common, members

    def _chosen(
        self, objective: Objective, task: Task | None, measuring: bool
    ) -> list[Tensor] | None:
        """Return u, with its η in the memory, or None if loss scaling overflowed."""
        if not objective.finite:
            return None
        update = direction(self.base, objective.members, objective.gradient)
        if measuring:
            slope = inner(objective.gradient, update)
            try:
                self.memory["tuned_rate"] = self._rate(Line(objective, update, slope, task))
            except NonFiniteLossError:
                if self._surroundings.scaler is None:
                    raise
                return None
        return update

    def _tell_scaler(self, objective: Objective, *, overflowed: bool) -> None:
        scaler = self._surroundings.scaler
        if scaler is not None:
            factor = math.inf if overflowed else scaler.get_scale()
            for m, gradient in zip(objective.members, objective.gradient, strict=True):
                m.parameter.grad = gradient * factor
            scaler.unscale_(self.base)

    def _forget_scaled(self) -> None:
        scaler = self._surroundings.scaler
        if scaler is not None:
            # What `unscale_` noted of this step; torch has no public way to take it back.
            scaler._per_optimizer_states.pop(id(self.base), None)

    def _apply(self, objective: Objective, update: list[Tensor], rate: float) -> None:
        with torch.no_grad():
            for m, gradient in zip(objective.members, objective.gradient, strict=True):
                m.parameter.grad = gradient
                if m.shrinkage:
                    m.parameter.mul_(1 - rate * m.rate * m.shrinkage)
        objective.move(rate, update)
        self.last_update = update
        self.memory["learning_rate"] = rate
        self.memory["steps"] += 1
        self.memory["gradient_evaluations"] += 1 + objective.forwards / 3 + 2 * objective.products


def _told(
    closure: Closure | None,
    model: nn.Module | None,
    loss_fn: Callable[[Any, Any], Tensor] | None,
    batch: tuple[Any, Any] | None,
) -> tuple[Closure, Task | None]:
    """Return the closure, and its parts if they were given."""
    if closure is not None:
        if model is not None or loss_fn is not None or batch is not None:
            raise ValueError("give step either a closure, or model=, loss_fn= and batch=")
        return closure, None
    if model is None or loss_fn is None or batch is None:
        raise ValueError("step needs a closure that returns the loss, or model=, loss_fn=, batch=")
    task = Task(model, loss_fn, batch)
    return task.loss, task


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
