"""The price of a tuner's step in gradient evaluations of the same batch, from one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from lrtransfer.study.plan.catalog import load

WIDTHS = (64, 256, 1024)
SAMPLES = 256
PAIRS = 15

# Rates are capped where their size has no price: random labels are soon learnt by heart.
TUNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "constant": ("constant", {"learning_rate": 1e-3}),
    "cdat": ("cdat", {"max_learning_rate": 1e-3}),
    "cdat_forward": ("cdat", {"max_learning_rate": 1e-3, "curvature": "forward"}),
    "cdat_finite_difference": (
        "cdat",
        {"max_learning_rate": 1e-3, "curvature": "finite_difference"},
    ),
    "cdat_every_10": ("cdat", {"max_learning_rate": 1e-3, "every": 10}),
    "line_search": ("line_search", {"increase": 4.0}),
    "line_search_restarted": ("line_search", {"increase": None}),
    "polyak": ("polyak", {"max_learning_rate": 1e-3}),
    "hypergradient": ("hypergradient", {"learning_rate": 1e-3}),
    "parabola_fit": ("parabola_fit", {}),
    "sharpness_rule": ("sharpness_rule", {"max_learning_rate": 1e-2}),
}


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per width: cost of a step over that of one gradient."""
    torch.set_num_threads(1)
    return [_row(width, torch.device(device)) for width in WIDTHS]


def _row(width: int, device: torch.device) -> dict[str, Any]:
    inputs = torch.randn(SAMPLES, 784, device=device)
    targets = torch.randint(10, (SAMPLES,), device=device)
    row: dict[str, Any] = {"width": width}
    for label, (name, options) in TUNERS.items():
        row[label] = round(_price(name, options, width, (inputs, targets)), 2)
    return row


def _price(
    name: str, options: dict[str, Any], width: int, batch: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """Return a step's seconds over a gradient's, the median of pairs timed side by side.

    Where a measurement lasts several steps, their mean.
    """
    device = batch[0].device
    model = _model(width, device)
    weights = list(model.parameters())
    tuner = load("optim/tuners", name)(torch.optim.SGD(weights, lr=1.0), **options)

    def gradients() -> None:
        for _ in range(tuner.every):
            torch.autograd.grad(functional.cross_entropy(model(batch[0]), batch[1]), weights)

    def steps() -> None:
        for _ in range(tuner.every):
            tuner.step(model=model, loss_fn=functional.cross_entropy, batch=batch)

    gradients()
    steps()
    return median(_seconds(steps, device) / _seconds(gradients, device) for _ in range(PAIRS))


def _model(width: int, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return load("models", "residual_mlp")(in_features=784, out_features=10, width=width).to(device)


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began
