"""What logging the sharpness does to a sweep: runs per minute, ours against PyHessian and none.

The same loop, seeds, learning rates and measured steps for every way of logging. PyHessian runs at
two tolerances; `as_accurate` says whether its median error is at most ours or 1e-3, whichever is
larger. Every value is compared with a tight run of our own, whose time does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.pricing import digits, prepare, seconds
from benchmarks.problems import IMAGES, TOKENS, Problem, make
from lrtransfer import eigenvalues
from lrtransfer.curvature import sharpness

STEPS = 40
EVERY = (5, 20)
SHARE = 4
"""The measured subset is the first 1/SHARE of the samples; a step takes as many at random."""
ACCURACY = 1e-3
TOLERANCES = (1e-3, 1e-4)

Measure = Callable[[Problem, "Memory"], float]


class Memory:
    """What a measurement leaves for the next one of the same run."""

    def __init__(self) -> None:
        self.vector: Tensor | None = None
        self.value = 0.0

    def note(self, way: Measure, subset: Problem) -> None:
        """Measure `subset` and keep the value."""
        self.value = way(subset, self)


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per network, interval and way of logging."""
    chosen = prepare(device)
    rows = []
    for name, rates in (("mlp", (0.01, 0.1)), ("gpt", (0.03, 0.3))):
        plain = _sweep(name, rates, chosen)
        for every in EVERY:
            rows += _rows(name, rates, chosen, every, plain)
    return rows


def about() -> dict[str, str]:
    """Return the versions of the peers that were measured."""
    return peers.versions()


def _rows(
    name: str, rates: tuple[float, ...], device: torch.device, every: int, plain: dict[str, Any]
) -> list[dict[str, Any]]:
    ways: dict[str, Measure] = {"lrtransfer": _ours, "lrtransfer, warm_products=3": _shorter}
    if find_spec("pyhessian"):
        import_module("pyhessian")  # its import is no part of the price
        ways |= {f"PyHessian, tol={t:g}": _pyhessian(t) for t in TOLERANCES}
    found = {way: _sweep(name, rates, device, every, run) for way, run in ways.items()}
    ours = found["lrtransfer"]
    rows = [{"network": name, "every": every, "logging": "none"} | _columns(plain, plain, ours)]
    for way, result in found.items():
        rows.append({"network": name, "every": every, "logging": way})
        rows[-1] |= _columns(result, plain, ours)
    return rows


def _columns(result: dict[str, Any], plain: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    columns = {
        "runs_per_minute": round(60 / result["seconds"], 1),
        "slower_than_none": round(result["seconds"] / plain["seconds"], 2),
        "times_ours": round(result["seconds"] / ours["seconds"], 2),
    }
    if errors := result["errors"]:
        columns["median_error"] = digits(median(errors))
        columns["largest_error"] = digits(max(errors))
        columns["as_accurate"] = median(errors) <= max(ACCURACY, median(ours["errors"]))
    return columns


def _sweep(
    name: str,
    rates: tuple[float, ...],
    device: torch.device,
    every: int = 0,
    way: Measure | None = None,
) -> dict[str, Any]:
    """Return the mean seconds of a run, less those of the reference, and the relative errors."""
    spent, errors = 0.0, []
    for rate in rates:
        problem, subset = _problem(name, device)
        optimizer = torch.optim.SGD(problem.model.parameters(), lr=rate)
        random = torch.Generator().manual_seed(0)
        memory = Memory()
        for step in range(STEPS):
            spent += seconds(partial(_step, problem, optimizer, random), device)
            if way is None or (step + 1) % every:
                continue
            spent += seconds(partial(memory.note, way, subset), device)
            # Two pairs: the search of their complement finds a first one that was missed.
            tight = eigenvalues(subset.model, subset.loss, subset.batch, 2, tolerance=3e-3)
            errors.append(abs(memory.value / tight.values[0].item() - 1))
    return {"seconds": spent / len(rates), "errors": errors}


def _problem(name: str, device: torch.device) -> tuple[Problem, Problem]:
    """Return the network with its training set, and with the measured subset."""
    if name == "mlp":
        whole = make(name, "residual_mlp", 512, device, **IMAGES, width=128)
    else:
        whole = make(name, "gpt", 32, device, **TOKENS, width=48)
    count = len(whole.inputs) // SHARE
    return whole, whole.on(slice(count))


def _step(whole: Problem, optimizer: torch.optim.Optimizer, random: torch.Generator) -> None:
    count = len(whole.inputs) // SHARE
    chosen = torch.randperm(len(whole.inputs), generator=random)[:count].to(whole.device)
    whole.on(chosen).train(1, optimizer)


def _ours(subset: Problem, memory: Memory, warm_products: int = 6) -> float:
    found = sharpness(
        subset.model,
        subset.loss,
        subset.batch,
        start=memory.vector,
        warm_products=warm_products,
    )
    memory.vector = found.eigenvector
    return found.value


def _shorter(subset: Problem, memory: Memory) -> float:
    return _ours(subset, memory, warm_products=3)


def _pyhessian(tolerance: float) -> Measure:
    return lambda subset, memory: peers.pyhessian(subset, k=1, tolerance=tolerance)[0][0]
