"""Whether an optimizer moves the model: asked at once and at its first step."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from lrtransfer.scaling.rebind import FOLDED, FoldedParameter, StaleOptimizerError, listed


def check_optimizer(optimizer: torch.optim.Optimizer, model: nn.Module | None = None) -> None:
    """Check that `optimizer` holds the tensors of `model`, now and after its first step.

    Wrapping, folding and loading may replace a model's parameters. An optimizer of the old ones
    steps without effect and without a word: its tensors have no gradient. The check costs nothing
    after the first step. Tensors of the model that the optimizer lacks are left to another one.

    Args:
        optimizer: Any optimizer of torch; its groups' `names` are used in messages.
        model: What it should move; None to ask for gradients alone.

    Raises:
        StaleOptimizerError: It holds a tensor that the model does not; raised by the first
            `step()` too, and there if none of its tensors has a gradient.

    Warns:
        UserWarning: At the first step, of tensors without a gradient, and of rates that are not
            one global rate times the groups' `relative_rate`.

    Example:
        >>> import torch
        >>> import lrtransfer as lt
        >>> model, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        >>> lt.check_optimizer(torch.optim.SGD(model.parameters(), lr=0.1), model)
    """
    _check_held(optimizer, model)
    # After the step: an optimizer with a closure has its gradients then only.
    optimizer.register_step_post_hook(_FirstStep(optimizer, model))


class _FirstStep:
    """A hook that checks the first step; a class, so that a copy checks its own optimizer."""

    def __init__(self, optimizer: torch.optim.Optimizer, model: nn.Module | None) -> None:
        self.optimizer, self.model, self.waiting = optimizer, model, True
        self.tensors = [tensor for _, tensor in _named(optimizer)]

    def __call__(self, stepped: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        # Tuners and Hyperball ask for a direction by a step on stand-ins: that is none of its own.
        held = {id(tensor) for _, tensor in _named(self.optimizer)}
        if self.waiting and any(id(tensor) in held for tensor in self.tensors):
            self.waiting = False  # to remove the hook here would disturb the hooks after it
            self.tensors = []
            _check_held(self.optimizer, self.model)
            _check_gradients(self.optimizer)
            _check_rates(self.optimizer)


def label(group: dict[str, Any], otherwise: str) -> str:
    """Return what to call a group in a message: its role, or its tensors.

    Example:
        >>> from lrtransfer.optim.check_optimizer import label
        >>> label({"role": "hidden"}, "group 0"), label({"names": ["a", "b"]}, "group 1")
        ('hidden', 'a, b')
    """
    names = group.get("names") or group.get("param_names") or [otherwise]
    return str(group.get("role") or listed(names))


def _check_held(optimizer: torch.optim.Optimizer, model: nn.Module | None) -> None:
    if model is None:
        return
    held = {id(parameter) for parameter in model.parameters()}
    strange = [name for name, tensor in _named(optimizer) if id(tensor) not in held]
    if any(type(tensor) is FoldedParameter for _, tensor in _named(optimizer)):
        raise StaleOptimizerError(FOLDED)
    if strange:
        raise StaleOptimizerError(
            f"the optimizer holds tensors that the model does not: {listed(strange)}. Wrap the "
            "model first, then build the optimizer of lrtransfer.rebind(groups, model)."
        )


def _check_gradients(optimizer: torch.optim.Optimizer) -> None:
    named = _named(optimizer)
    without = [name for name, tensor in named if tensor.requires_grad and tensor.grad is None]
    if without and len(without) == sum(tensor.requires_grad for _, tensor in named):
        raise StaleOptimizerError(
            f"no tensor of the optimizer has a gradient after its first step: {listed(without)}. "
            "The model holds others, if it was wrapped since: build the optimizer of "
            "lrtransfer.rebind(groups, model). Or backward() was not called."
        )
    if without:
        warnings.warn(
            f"{listed(without)} had no gradient at the optimizer's first step. If the loss depends "
            "on them the optimizer is stale: see lrtransfer.rebind.",
            stacklevel=3,
        )


def _check_rates(optimizer: torch.optim.Optimizer) -> None:
    rates = [
        (float(group["lr"]) / group["relative_rate"], index, group)
        for index, group in enumerate(optimizer.param_groups)
        if group.get("relative_rate")
    ]
    if rates:
        largest = max(rate for rate, *_ in rates)
        wrong = [
            f"{label(group, f'group {index}')} at {float(group['lr']):g}"
            for rate, index, group in rates
            if rate < largest * 0.999
        ]
        if wrong:
            warnings.warn(
                f"the rates are not one rate times the groups' relative_rate: {listed(wrong)}, "
                f"where the largest is {largest:g} × relative_rate. If a scheduler overwrote them, "
                "see lrtransfer.check_schedule.",
                stacklevel=3,
            )


def _named(optimizer: torch.optim.Optimizer) -> list[tuple[str, torch.Tensor]]:
    found = []
    for index, group in enumerate(optimizer.param_groups):
        names = group.get("names") or group.get("param_names") or []
        for place, tensor in enumerate(group["params"]):
            known = len(names) == len(group["params"])
            found.append((names[place] if known else f"tensor {place} of group {index}", tensor))
    return found
