"""Steepest descent in another norm than the Euclidean one: of signs, of orthogonalised matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch

from lrtransfer.curvature.generalised import Ball


class SteepestDescent(torch.optim.Optimizer):
    """W ← W − η·‖g‖_dual·d, d the point of the norm's unit ball that lies farthest along g.

    In ℓ∞ d = sign(g) and ‖g‖_dual = Σ|g|; in the spectral norm, jointly over the matrices, d_i is
    the polar factor of g_i and the dual norm the sum of all singular values (Islamov et al. 2026,
    2603.05002). The radius of a tensor is its group's `relative_rate`. Full batch, no momentum.

    Args:
        groups: Parameter groups with their own `lr`.
        norm: "linf" or "spectral".
        normalised: Leave ‖g‖_dual out: SignGD, and Muon without momentum.

    Raises:
        ValueError: A tensor has no spectral norm.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        norm: Literal["linf", "spectral"] = "linf",
        normalised: bool = False,
    ) -> None:
        super().__init__(groups, {"lr": 0.0, "relative_rate": 1.0})
        self._normalised = normalised
        self._held = [(p, g) for g in self.param_groups for p in g["params"]]
        # A group is named by its first tensor.
        shapes: dict[str, torch.Size] = {}
        for i, (parameter, group) in enumerate(self._held):
            name = group.get("name", f"tensor {i}")
            shapes[f"{name}, tensor {i}" if name in shapes else name] = parameter.shape
        self._ball = Ball(norm, shapes)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step; a tensor without a gradient counts as one of zeros."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p, _ in self._held]
        scaled = torch.cat(
            [
                (gradient * group["relative_rate"]).reshape(-1)
                for gradient, (_, group) in zip(gradients, self._held, strict=True)
            ]
        )
        length = 1.0 if self._normalised else self._ball.dual(scaled)
        directions = torch.split(
            self._ball.farthest(scaled, vertex=False), [p.numel() for p, _ in self._held]
        )
        for (parameter, group), direction in zip(self._held, directions, strict=True):
            parameter.sub_(direction.view_as(parameter), alpha=float(group["lr"]) * length)
        return loss


def steepest(
    groups: list[dict[str, Any]],
    *,
    norm: Literal["linf", "spectral"] = "linf",
    normalised: bool = False,
) -> SteepestDescent:
    """Return steepest descent over the groups; how its rate scales with the size no source says.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([3.0, -1.0]))
        >>> opt = steepest([{"params": [w], "lr": 0.1}], norm="linf")
        >>> (w.square() / 2).sum().backward()
        >>> opt.step()
        >>> [round(x, 4) for x in w.tolist()]
        [2.6, -0.6]
    """
    return SteepestDescent(groups, norm=norm, normalised=normalised)


FAMILY = "sgd"
OPTIMIZER = steepest
