"""One weight on a known gradient: what each optimizer's update is written out against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lrtransfer.study.plan import catalog

RATE, STEPS = 0.1, 12
# Three entries of different curvature and start, so that no average hides an entry's own scale.
CURVATURE = torch.tensor([1.0, 5.0, 0.2], dtype=torch.float64)
START = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)


def gradient(weight: Tensor) -> Tensor:
    """Return the slope of ½Σ h w² + Σ sin w."""
    return CURVATURE * weight + weight.cos()


def trajectory(name: str, relative: dict[str, float] | None = None, **options: Any) -> list[Tensor]:
    """Return the weight after each of ``STEPS`` updates by the optimizer ``name``."""
    weight = torch.nn.Parameter(START.clone())
    made = catalog.load("optim", name)(
        [{"params": [weight], "lr": RATE, **(relative or {})}], **options
    )
    seen = []
    for _ in range(STEPS):
        weight.grad = gradient(weight.detach())
        made.step()
        seen.append(weight.detach().clone())
    return seen


def by_hand(update: Callable[[int, Tensor], Tensor]) -> list[Tensor]:
    """Return the weight after each step of w ← ``update(t, w)``, with t = 1, 2, …."""
    weight, seen = START.clone(), []
    for step in range(1, STEPS + 1):
        weight = update(step, weight)
        seen.append(weight)
    return seen


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    """Check two trajectories at every step, and that they move."""
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=1e-12, atol=1e-14)
    assert (found[-1] - START).abs().min() > 0.05
