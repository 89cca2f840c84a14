"""Whether training several learning rates as one batched network pays, by width. GPU only.

On a CPU it does not (docs/curvature-price.md), so that there the target has no rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, stack_module_state, vmap

from benchmarks.pricing import prepare, seconds
from benchmarks.problems import IMAGES, make

WIDTHS = (64, 128, 256, 512, 1024)
MODELS = 8
SAMPLES = 256
STEPS = 50


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per width: milliseconds of a step of all models, one by one and batched."""
    chosen = prepare(device)
    return [_row(width, chosen) for width in WIDTHS] if chosen.type == "cuda" else []


def about() -> dict[str, str]:
    """Return the name of the GPU."""
    return {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}


def _row(width: int, device: torch.device) -> dict[str, Any]:
    problems = [
        make("mlp", "residual_mlp", SAMPLES, device, seed=seed, **IMAGES, width=width)
        for seed in range(MODELS)
    ]
    rates = torch.logspace(-3, -1, MODELS, device=device)
    inputs, targets = problems[0].batch

    def loop() -> None:
        for problem, rate in zip(problems, rates.tolist(), strict=True):
            pieces = replace(problem, inputs=inputs, targets=targets).gradient()
            with torch.no_grad():
                for parameter, piece in zip(problem.model.parameters(), pieces, strict=True):
                    parameter.sub_(piece, alpha=rate)

    stacked, buffers = stack_module_state([problem.model for problem in problems])
    model = problems[0].model

    def loss(weights: dict[str, Tensor], fixed: dict[str, Tensor]) -> Tensor:
        return problems[0].loss(functional_call(model, (weights, fixed), (inputs,)), targets)

    gradients = vmap(grad(loss))

    def batched() -> None:
        pieces = gradients(stacked, buffers)
        with torch.no_grad():
            for name, weight in stacked.items():
                weight.sub_(rates.view(-1, *[1] * (weight.ndim - 1)) * pieces[name])

    times = {}
    for name, step in (("one_by_one", loop), ("batched", batched)):
        for _ in range(5):
            step()
        spent = seconds(lambda s=step: [s() for _ in range(STEPS)], device)
        times[f"{name}_ms"] = round(1e3 * spent / STEPS, 3)
    gain = times["one_by_one_ms"] / times["batched_ms"]
    return {"width": width, "models": MODELS, **times, "gain": round(gain, 2)}
