"""An optimizer that no tuner knows."""

from __future__ import annotations

from typing import Any

import torch


class Signed(torch.optim.Optimizer):
    """An optimizer that tuners do not know; it also looks at the weights' size."""

    def __init__(self, params: Any, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": 1.0, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(p.grad.sign() * p.norm(), alpha=-group["lr"])
