"""Train a few steps and measure how large coordinates are and how far they moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lrtransfer.coordinates.networks import Network, Problem

STEPS = 3

QUANTITIES = ("start", "own", "change")


class Coordinates(NamedTuple):
    """One quantity of one module."""

    module: str
    quantity: str


Sizes = dict[Coordinates, npt.NDArray[np.float64]]


class _Seen(NamedTuple):
    inputs: tuple[Any, ...]
    keywords: dict[str, Any]
    output: Tensor


def measure(problem: Problem, *, seeds: Sequence[int] = range(4)) -> Sizes:
    """Return the RMS over the coordinates of what each module returns, by width.

    For each module that owns tensors, and each module of attention logits, with z its output:
    `start` is z at step 0; `change` is z at step `STEPS` minus z at step 0; `own` is z at
    step `STEPS` minus what the module would return for the same input with its tensors of step
    0 (attention logits own no tensor). `own` shows one tensor's learning rate; `change` is
    what the original check plots (2203.03466, App. D.1). Of a module that is called several
    times the last call counts, of a tuple that it returns the first entry.

    Args:
        problem: Networks, optimizer and batch.
        seeds: Of the initial weights.

    Returns:
        Module and quantity -> RMS, shape (seeds, widths).
    """
    found: dict[Coordinates, list[list[float]]] = {}
    for seed in seeds:
        rows: dict[Coordinates, list[float]] = {}
        for width in problem.widths:
            for place, value in train(problem.network(width, seed), problem).items():
                rows.setdefault(place, []).append(value)
        for place, row in rows.items():
            found.setdefault(place, []).append(row)
    return {place: np.array(values) for place, values in found.items()}


def train(net: Network, problem: Problem) -> dict[Coordinates, float]:
    """Train `net` by `STEPS` steps on the problem's batch and return one RMS per coordinate."""
    tensors = dict(net.model.named_parameters(remove_duplicate=False))
    initial = {name: p.detach().clone() for name, p in tensors.items()}
    before = observe(net, problem.inputs)
    _descend(net, problem)
    after = observe(net, problem.inputs)
    sizes: dict[Coordinates, float] = {}
    for name, seen in after.items():
        sizes[Coordinates(name, "start")] = _rms(before[name].output)
        module = net.model.get_submodule(name)
        own = {leaf: initial[full] for leaf, full in owned(net.model, name).items()}
        if own:
            with torch.no_grad():
                unmoved = torch.func.functional_call(module, own, seen.inputs, seen.keywords)
            sizes[Coordinates(name, "own")] = _rms(seen.output - _first(unmoved))
        sizes[Coordinates(name, "change")] = _rms(seen.output - before[name].output)
    return sizes


def owned(model: nn.Module, module: str) -> dict[str, str]:
    """Return the tensors that a module itself holds: name in the module -> name in the model."""
    prefix = f"{module}." if module else ""
    parameters = model.get_submodule(module).named_parameters(recurse=False)
    return {leaf: f"{prefix}{leaf}" for leaf, _ in parameters}


def observe(net: Network, inputs: Tensor) -> dict[str, _Seen]:
    """Return what each watched module was given and returned, in the order of their calls."""
    seen: dict[str, _Seen] = {}
    with _watching(net, seen), torch.no_grad():
        net.model(inputs)
    return seen


def _watched(net: Network) -> list[str]:
    """Return the modules that are measured: those that own a tensor, and attention logits."""
    logits = net.roles.attention_logits if net.roles else {}
    return [
        name for name, _ in net.model.named_modules() if name in logits or owned(net.model, name)
    ]


@contextmanager
def _watching(net: Network, seen: dict[str, _Seen]) -> Iterator[None]:
    given: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def before(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            given[name] = inputs, keywords

        return hook

    def after(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            # A copy, since a module may return its very tensor, which training moves.
            seen[name] = _Seen(*given[name], _first(output).detach().clone())

        return hook

    handles = []
    for name in _watched(net):
        module = net.model.get_submodule(name)
        # Ahead of the multipliers of arguments, which act again when the module is called again.
        handles.append(
            module.register_forward_pre_hook(before(name), prepend=True, with_kwargs=True)
        )
        handles.append(module.register_forward_hook(after(name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _first(output: Any) -> Tensor:
    tensor: Tensor = output[0] if isinstance(output, tuple) else output
    return tensor


def _descend(net: Network, problem: Problem) -> None:
    stepper = problem.optimizer(net.groups)
    for _ in range(STEPS):
        stepper.zero_grad()
        loss = -(net.model(problem.inputs) * problem.signs).sum() / len(problem.inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        stepper.step()


def _rms(tensor: Tensor) -> float:
    return tensor.square().mean().sqrt().item()
