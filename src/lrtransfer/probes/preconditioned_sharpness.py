"""Sharpness as an adaptive optimizer sees it: of P⁻¹H, on the fixed subset."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lrtransfer.curvature import NonFiniteCurvatureError, sharpness
from lrtransfer.probes import Measurement
from lrtransfer.probes.memory import WarmStart


class PreconditionedSharpness(WarmStart):
    """Columns ``preconditioned_sharpness``, ``…_residual``, ``…_products``.

    The value is the algebraic λ_max of P^-½D^½HD^½P^-½, with D the per-tensor learning rates over
    the global one and P the optimizer's preconditioner: for Adam (1−β₁^t)·[√(ν/(1−β₂^t)) + ε],
    for RMSProp √ν + ε. Its edge of stability is 2(1+β₁)/((1−β₁)η) for Adam, 38/η at β₁ = 0.9,
    and 2/η for RMSProp (Noci et al. 2024, §J.1; Cohen et al. 2022). Before the first update there
    is no preconditioner, and the value is NaN.
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector.

        Raises:
            ValueError: The optimizer keeps no squared gradients.
        """
        names = tuple(f"preconditioned_sharpness{part}" for part in ("", "_residual", "_products"))
        scale = _scale(at)
        if scale is None:
            return dict.fromkeys(names, math.nan)
        try:
            found = sharpness(
                at.model,
                at.loss,
                (at.inputs, at.targets),
                scale=scale,
                tolerance=at.tolerance,
                start=self.eigenvector,
                generator=at.generator,
            )
        except NonFiniteCurvatureError:
            return dict.fromkeys(names, math.nan)
        self.eigenvector = found.eigenvector
        return dict(zip(names, (found.value, found.residual, float(found.products)), strict=True))


def _scale(at: Measurement) -> dict[str, Tensor] | None:
    """Return D/P by parameter name; None before the first update."""
    scale: dict[str, Tensor] = {}
    for group in at.optimizer.param_groups:
        (parameter,) = group["params"]
        state = at.optimizer.state.get(parameter)
        if not state:
            return None
        preconditioner = _preconditioner(at.optimizer, group, state)
        scale[group["name"]] = at.rates[group["name"]] / preconditioner
    return scale


def _preconditioner(
    optimizer: torch.optim.Optimizer, group: dict[str, object], state: dict[str, Tensor]
) -> Tensor:
    if isinstance(optimizer, torch.optim.Adam):  # AdamW is one too
        step = float(state["step"])
        beta1, beta2 = group["betas"]  # type: ignore[misc]
        root = (state["exp_avg_sq"] / (1 - beta2**step)).sqrt()  # type: ignore[has-type]
        corrected: Tensor = (1 - beta1**step) * (root + group["eps"])  # type: ignore[has-type, operator]
        return corrected
    if isinstance(optimizer, torch.optim.RMSprop):
        plain: Tensor = state["square_avg"].sqrt() + group["eps"]  # type: ignore[operator]
        return plain
    raise ValueError(
        f"preconditioned_sharpness needs adam, adamw or rmsprop, not {type(optimizer).__name__}. "
        "Remove the probe from `measure`."
    )


PROBE = PreconditionedSharpness
