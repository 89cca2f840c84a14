"""RMSProp with ε inside the root, as optax and Roulet et al. (2024, 2407.06183) have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class OptaxRMSProp(torch.optim.Optimizer):
    """w ← w − η g/√(ν + ε), ν ← β₂ν + (1 − β₂)g² from ν = 0, without bias correction.

    `torch.optim.RMSprop` divides by √ν + ε instead: with ε = 1e-8 the two part where |g| falls
    below √ε = 1e-4, as it does in full-batch training.

    Args:
        params: Parameters or groups.
        lr: Learning rate η.
        beta2: Decay rate of the squared gradient; optax's own default is 0.9.
        eps: ε.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = OptaxRMSProp([w], lr=0.1, beta2=0.75)
        >>> w.sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)  # 1 − 0.1/√0.25
        0.8
    """

    def __init__(
        self, params: Any, lr: float = 1.0, *, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        if lr < 0:
            raise ValueError(f"lr is {lr}; give a rate of at least 0")
        if not 0 <= beta2 < 1:
            raise ValueError(f"beta2 is {beta2}; choose it in [0, 1)")
        if eps < 0:
            raise ValueError(f"eps is {eps}; it must not be negative")
        super().__init__(params, {"lr": lr, "beta2": beta2, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take one step from the gradients in `grad`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                square: Tensor = self.state[parameter].setdefault(
                    "square", torch.zeros_like(parameter)
                )
                square.lerp_(parameter.grad.square(), 1 - group["beta2"])
                root = (square + group["eps"]).sqrt_()
                parameter.addcdiv_(parameter.grad, root, value=-float(group["lr"]))
        return loss
