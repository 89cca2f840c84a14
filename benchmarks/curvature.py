"""The price of curvature in gradient evaluations of the same batch, measured in one process.

Each row is one network after some steps of gradient descent. Prices are the median over rounds of
a processor time divided by that of a gradient taken just before it. Peers
are measured where they are installed (`pip install pyhessian hessian-eigenthings`, with torch
pinned); errors are relative to a tight run of our own in float64.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import curvature_peers
from lrtransfer import models
from lrtransfer.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    NTKOperator,
    ResidualOperator,
    batch_sharpness,
    critical_sharpness,
    directional_sharpness,
    eigenvalues,
    mini_batches,
    sharpness,
    spectral_density,
    trace,
)

ROUNDS = 3
STEPS = 20
RATE = 0.02


@dataclass(frozen=True)
class Problem:
    """A network, its loss and one batch."""

    name: str
    model: nn.Module
    inputs: Tensor
    targets: Tensor

    @property
    def batch(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets."""
        return self.inputs, self.targets

    @staticmethod
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy, mean over samples and tokens."""
        return functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.flatten())

    def gradient(self) -> tuple[Tensor, ...]:
        """Return the gradient: the unit of price."""
        loss = self.loss(self.model(self.inputs), self.targets)
        return torch.autograd.grad(loss, list(self.model.parameters()))

    def descend(self, steps: int) -> None:
        """Take plain gradient steps."""
        for _ in range(steps):
            gradient = self.gradient()
            with torch.no_grad():
                for parameter, piece in zip(self.model.parameters(), gradient, strict=True):
                    parameter.sub_(piece, alpha=RATE)


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per network."""
    torch.set_num_threads(1)
    return [_row(problem) for problem in _problems(torch.device(device))]


def about() -> dict[str, str]:
    """Return the versions of the peers that were measured."""
    return curvature_peers.versions()


def _problems(device: torch.device) -> Iterator[Problem]:
    images = {"in_features": 784, "out_features": 10}
    tokens = {"in_features": 0, "out_features": 64, "block_size": 32}
    for name, family, samples, sizes in (
        ("mlp", "residual_mlp", 256, images | {"width": 256}),
        ("conv net", "convnet", 128, images | {"width": 32}),
        (
            "resnet, group norm",
            "resnet",
            8,
            images | {"width": 8, "channels": 1, "image_size": 28, "norm": "group", "groups": 4},
        ),
        ("gpt", "gpt", 16, tokens | {"width": 64}),
        ("vit", "vit", 32, images | {"width": 48}),
    ):
        torch.manual_seed(0)
        model = models.build(family, **sizes).to(device)
        if family == "gpt":
            text = torch.randint(64, (samples, 33), device=device)
            problem = Problem(name, model, text[:, :-1], text[:, 1:])
        else:
            inputs = torch.randn(samples, 784, device=device)
            problem = Problem(name, model, inputs, torch.randint(10, (samples,), device=device))
        problem.descend(STEPS)
        yield problem


def _row(problem: Problem) -> dict[str, Any]:
    model, loss, batch = problem.model, problem.loss, problem.batch
    arguments = (model, loss, batch)
    operators = {
        "hessian": HessianOperator(*arguments),
        "ggn": GaussNewtonOperator(*arguments),
        "residual": ResidualOperator(*arguments),
        "ntk": NTKOperator(model, problem.inputs),
    }
    vectors = {
        name: torch.randn(operator.dim, device=operator.device)
        for name, operator in operators.items()
    }
    exact = _exact(problem)
    cold = sharpness(*arguments)
    price = _Price(problem)
    row: dict[str, Any] = {
        "network": problem.name,
        "parameters": operators["hessian"].dim,
        "gradient_ms": round(price.unit() * 1e3, 2),
    }
    for name, operator in operators.items():
        row[f"{name}_product"] = price(lambda o=operator, v=vectors[name]: o(v))
    row["sharpness_cold"] = price(lambda: sharpness(*arguments))
    row["sharpness_cold_products"] = cold.products
    row["sharpness_cold_error"] = _digits(abs(cold.value / exact - 1))
    row["ntk_top"] = price(lambda: eigenvalues(NTKOperator(model, problem.inputs)))
    row["top_10"] = price(lambda: eigenvalues(HessianOperator(*arguments), 10), rounds=1)
    row["trace"] = price(lambda: trace(HessianOperator(*arguments), tolerance=0.1), rounds=1)
    row["density_1x32"] = price(
        lambda: spectral_density(HessianOperator(*arguments), probes=1, steps=32), rounds=1
    )
    step = -operators["hessian"].gradient
    critical = critical_sharpness(*arguments, step)
    row["directional"] = price(lambda: directional_sharpness(*arguments))
    row["critical"] = price(lambda: critical_sharpness(*arguments, step, guess=1.2 * critical.low))
    row["directional_over_sharpness"] = _digits(directional_sharpness(*arguments).value / exact)
    row["critical_over_sharpness"] = _digits(critical.value / exact)
    draws = (problem.inputs, problem.targets)
    found = batch_sharpness(model, loss, mini_batches(draws, 8), tolerance=0.1, max_batches=40)
    row["batch_8_over_sharpness"] = _digits(found.value / exact)
    for name, run in curvature_peers.installed(model, loss, batch).items():
        values: list[float] = []
        row[name] = price(lambda r=run, v=values: v.append(r()), rounds=1)
        row[f"{name}_error"] = _digits(abs(values[0] / exact - 1))
    problem.descend(1)
    warm = sharpness(*arguments, start=cold.eigenvector)
    row["sharpness_warm"] = price(lambda: sharpness(*arguments, start=cold.eigenvector))
    row["sharpness_warm_products"] = warm.products
    return row


def _exact(problem: Problem) -> float:
    """Return λ_max to about 1e-8, in float64."""
    model = copy.deepcopy(problem.model).double()
    inputs = problem.inputs.double() if problem.inputs.is_floating_point() else problem.inputs
    return sharpness(model, problem.loss, (inputs, problem.targets), tolerance=1e-4).value


class _Price:
    """Seconds of some work over those of a gradient taken just before."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def __call__(self, work: Callable[[], object], rounds: int = ROUNDS) -> float:
        if rounds > 1:
            work()
        return round(median(_seconds(work) / self.unit() for _ in range(rounds)), 2)

    def unit(self) -> float:
        """Return the seconds of one gradient."""
        self._problem.gradient()
        return median(_seconds(self._problem.gradient) for _ in range(5))


def _digits(value: float) -> float:
    return float(f"{value:.2g}")


def _seconds(work: Callable[[], object]) -> float:
    """Return the processor time, which a busy machine moves least; on a GPU the elapsed time."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = clock()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - began
