"""Train a few steps and measure how large coordinates are and how far they moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lrtransfer.coordinates.networks import Inputs, Network, Problem

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
    `start` is z at step 0; `change` is z after the problem's steps minus z at step 0; `own` is z
    after them minus what the module would return for the same input with its tensors of step
    0 (attention logits own no tensor). `own` shows one tensor's learning rate; where a module owns
    several, `own weight` and the like are of each alone. `change` is what the original check plots
    (2203.03466, App. D.1). Of a module that is called several times the last call counts, of what
    it returns the `logits`, or the first entry of a tuple.

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
    """Train `net` on the problem's batch and return one RMS per coordinate."""
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
        alone = {f"own {leaf}": {leaf: tensor} for leaf, tensor in own.items()}
        parts = {"own": own} | (alone if len(own) > 1 else {}) if own else {}
        for quantity, held in parts.items():
            with torch.no_grad():
                unmoved = torch.func.functional_call(module, held, seen.inputs, seen.keywords)
            sizes[Coordinates(name, quantity)] = _rms(seen.output - first_tensor(unmoved))
        sizes[Coordinates(name, "change")] = _rms(seen.output - before[name].output)
    return sizes


def owned(model: nn.Module, module: str) -> dict[str, str]:
    """Return the tensors that a module itself holds: name in the module -> name in the model."""
    prefix = f"{module}." if module else ""
    parameters = model.get_submodule(module).named_parameters(recurse=False)
    return {leaf: f"{prefix}{leaf}" for leaf, _ in parameters}


def outputs(model: nn.Module, inputs: Inputs) -> Any:
    """Return what the model computes from the batch, before `first_tensor`."""
    return model(**inputs) if isinstance(inputs, Mapping) else model(inputs)


def first_tensor(output: Any) -> Tensor:
    """Return the `logits` of an output, the first entry of a tuple, or the tensor itself."""
    output = getattr(output, "logits", output)
    tensor: Tensor = output[0] if isinstance(output, tuple) else output
    return tensor


def observe(net: Network, inputs: Inputs) -> dict[str, _Seen]:
    """Return what each watched module was given and returned, in the order of their calls."""
    seen: dict[str, _Seen] = {}
    with _watching(net, seen), torch.no_grad():
        outputs(net.model, inputs)
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
            seen[name] = _Seen(*given[name], first_tensor(output).detach().clone())

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


def _descend(net: Network, problem: Problem) -> None:
    stepper = problem.optimizer(net.groups)
    for _ in range(problem.steps):
        stepper.zero_grad()
        found = first_tensor(outputs(net.model, problem.inputs))
        loss = -(found * problem.signs).sum() / len(problem.signs)
        loss.backward()  # type: ignore[no-untyped-call]
        stepper.step()


def _rms(tensor: Tensor) -> float:
    return tensor.square().mean().sqrt().item()
