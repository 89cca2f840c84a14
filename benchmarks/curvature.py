"""The price of curvature in gradient evaluations of the same batch, measured in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from lrtransfer import models
from lrtransfer.curvature import HessianOperator, NTKOperator, eigenvalues, sharpness

WIDTHS = (64, 256, 1024)
SAMPLES = 256
REPEATS = 7


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per width: cost ratios to one gradient, and Lanczos products."""
    torch.set_num_threads(1)
    return [_row(width, torch.device(device)) for width in WIDTHS]


def _row(width: int, device: torch.device) -> dict[str, Any]:
    torch.manual_seed(0)
    model = models.build("residual_mlp", in_features=784, out_features=10, width=width)
    model = model.to(device)
    inputs = torch.randn(SAMPLES, 784, device=device)
    targets = torch.randint(10, (SAMPLES,), device=device)
    weights = list(model.parameters())

    def gradient() -> None:
        torch.autograd.grad(functional.cross_entropy(model(inputs), targets), weights)

    hessian = HessianOperator(model, functional.cross_entropy, (inputs, targets))
    ntk = NTKOperator(model, inputs)
    h_vector = torch.randn(hessian.dim, device=device)
    n_vector = torch.randn(ntk.dim, device=device)
    unit = _seconds(gradient)
    batch = (inputs, targets)
    found = sharpness(model, functional.cross_entropy, batch)
    return {
        "width": width,
        "gradient_ms": round(unit * 1e3, 3),
        "hessian_product": round(_seconds(lambda: hessian(h_vector)) / unit, 2),
        "ntk_product": round(_seconds(lambda: ntk(n_vector)) / unit, 2),
        "sharpness": round(
            _seconds(lambda: sharpness(model, functional.cross_entropy, batch)) / unit, 1
        ),
        "sharpness_products": found.products,
        "ntk_top": round(_seconds(lambda: eigenvalues(NTKOperator(model, inputs))) / unit, 1),
    }


def _seconds(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return median(times)
