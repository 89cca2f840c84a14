"""Train a few steps and measure how large coordinates are and how far they moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lrtransfer.coordinates.problem import Problem
from lrtransfer.optim import optimizer as make_optimizer
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.parameterizations import family as optimizer_family
from lrtransfer.study.training.network import Network

# Global learning rates at the base width, so small that changes are proportional to them and have
# the exponent of a first step under every table of the package: the largest change, of SP's widest
# ResNet, is a third of the output, the smallest 1e-8 of a feature, 1e8 roundings.
LEARNING_RATES = {"sgd": 1e-5, "adam": 1e-7}
EPSILON = 1e-16  # far below every gradient: Adam's steps do not depend on the gradient's size
STEPS = 3

QUANTITIES = ("start", "own", "change")


class Coordinates(NamedTuple):
    """One quantity of one module."""

    module: str
    quantity: str


Sizes = dict[Coordinates, npt.NDArray[np.float64]]


class _Seen(NamedTuple):
    inputs: tuple[Any, ...]
    output: Tensor


def measure(
    problem: Problem,
    rules: Mapping[str, Any],
    optimizer: str,
    *,
    seeds: Sequence[int] = range(4),
    learning_rate: float | None = None,
) -> Sizes:
    """Return the RMS over the coordinates of what each module returns, by width.

    For each module that owns a tensor, and each module of attention logits, with z its output:
    ``start`` is z at step 0; ``change`` is z at step ``STEPS`` minus z at step 0; ``own`` is z at
    step ``STEPS`` minus what the module would return for the same input with its tensor of step
    0 (attention logits own no tensor). ``own`` shows one tensor's learning rate; ``change`` is
    what the original check plots (Yang et al. 2022, App. D.1).

    Args:
        problem: Networks and batch.
        rules: Role -> exponents, which the networks are scaled by.
        optimizer: Its name.
        seeds: Of the initial weights.
        learning_rate: Global one; None for that of ``LEARNING_RATES``.

    Returns:
        Module and quantity -> RMS, shape (seeds, widths).
    """
    found: dict[Coordinates, list[list[float]]] = {}
    for seed in seeds:
        rows: dict[Coordinates, list[float]] = {}
        for width in problem.widths:
            net = problem.network(rules, width, seed)
            for place, value in train(net, problem, optimizer, learning_rate).items():
                rows.setdefault(place, []).append(value)
        for place, row in rows.items():
            found.setdefault(place, []).append(row)
    return {place: np.array(values) for place, values in found.items()}


def train(
    net: Network, problem: Problem, optimizer: str, learning_rate: float | None = None
) -> dict[Coordinates, float]:
    """Train ``net`` by ``STEPS`` steps on the problem's batch and return one RMS per coordinate."""
    model = net.model
    initial = {name: p.detach().clone() for name, p in model.named_parameters()}
    before = observe(net, problem.inputs)
    _descend(net, problem, optimizer, learning_rate)
    after = observe(net, problem.inputs)
    sizes: dict[Coordinates, float] = {}
    for name, seen in after.items():
        sizes[Coordinates(name, "start")] = _rms(before[name].output)
        module = model.get_submodule(name)
        own = {n: initial[f"{name}.{n}"] for n, _ in module.named_parameters(recurse=False)}
        if own:
            with torch.no_grad():
                unmoved = torch.func.functional_call(module, own, seen.inputs)
            sizes[Coordinates(name, "own")] = _rms(seen.output - unmoved)
        sizes[Coordinates(name, "change")] = _rms(seen.output - before[name].output)
    return sizes


def watched(net: Network) -> list[str]:
    """Return the modules that are measured: those that own a tensor, and attention logits."""
    logits = net.model.roles().attention_logits  # type: ignore[operator]
    return [
        name
        for name, module in net.model.named_modules()
        if name in logits or any(True for _ in module.parameters(recurse=False))
    ]


def observe(net: Network, inputs: Tensor) -> dict[str, _Seen]:
    """Return what each watched module was given and returned, in the order of their calls."""
    seen: dict[str, _Seen] = {}
    with _watching(net, seen), torch.no_grad():
        net.model(inputs)
    return seen


@contextmanager
def _watching(net: Network, seen: dict[str, _Seen]) -> Iterator[None]:
    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            # A copy, since a module may return its very tensor, which training moves.
            seen[name] = _Seen(inputs, output.detach().clone())

        return hook

    handles = [net.model.get_submodule(n).register_forward_hook(keep(n)) for n in watched(net)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _descend(net: Network, problem: Problem, optimizer: str, learning_rate: float | None) -> None:
    rate = learning_rate or LEARNING_RATES[optimizer_family(optimizer)]
    groups = [
        {
            "params": [parameter],
            "lr": rate * net.scaled[name].learning_rate,
            "relative_epsilon": net.scaled[name].epsilon,
        }
        for name, parameter in net.trained
    ]
    known = catalog.options("optim", optimizer)
    options = {"epsilon": EPSILON} if "epsilon" in known else {}
    stepper = make_optimizer(optimizer, groups, **options)
    for _ in range(STEPS):
        stepper.zero_grad()
        loss = -(net.model(problem.inputs) * problem.signs).sum() / len(problem.inputs)
        loss.backward()  # type: ignore[no-untyped-call]
        stepper.step()


def _rms(tensor: Tensor) -> float:
    return tensor.square().mean().sqrt().item()
