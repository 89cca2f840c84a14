"""What alignment is measured against: explicit matrices of the weights and of what reaches them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lrtransfer.alignment import Alignment

Columns = Callable[[Tensor], Tensor]


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def stepped(
    model: nn.Module,
    inputs: Any,
    kind: type[torch.optim.Optimizer] = torch.optim.AdamW,
    **options: Any,
) -> tuple[dict[str, Tensor], torch.optim.Optimizer]:
    """Make one update; return the weights before it, and the optimizer."""
    before = weights(model)
    optimizer = kind(model.parameters(), **{"lr": 0.1} | options)  # type: ignore[call-arg]
    outputs = model(inputs)
    target = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    (outputs - target).square().mean().backward()
    optimizer.step()
    return before, optimizer


def expected(before: Tensor, after: Tensor, columns: Tensor) -> dict[str, float]:
    """Return the quantities of matrices (K, C) and columns (C, B)."""
    norm, update = torch.linalg.norm, after - before
    return {
        "weight_alignment": float(norm(before @ columns) / (norm(before) * norm(columns))),
        "update_alignment": float(norm(update @ columns) / (norm(update) * norm(columns))),
        "alignment_ratio": float(
            norm(update @ columns) / norm(update) * norm(before) / norm(before @ columns)
        ),
        "relative_update": float(norm(update) / norm(before)),
        "relative_change": float(norm(update @ columns) / norm(before @ columns)),
        "weight_rms": float(norm(before) / math.sqrt(before.numel())),
    }


def quantities(found: Alignment) -> dict[str, float]:
    names = ("weight_alignment", "update_alignment", "alignment_ratio", "relative_update")
    return {name: getattr(found, name) for name in (*names, "relative_change", "weight_rms")}


def close(values: dict[str, float], tolerance: float = 1e-10) -> Any:
    return pytest.approx(values, rel=tolerance)


def patches(conv: nn.Conv2d) -> Columns:
    """Return the columns of the matrix form of a convolution, by ``unfold``."""

    def of(images: Tensor) -> Tensor:
        assert isinstance(conv.padding, tuple)
        unfolded = functional.unfold(
            images, conv.kernel_size, conv.dilation, conv.padding, conv.stride
        )
        return unfolded.transpose(0, 1).flatten(1)

    return of
