"""Sharpness as an adaptive optimizer sees it: of P⁻¹H, on the fixed subset."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.curvature.preconditioner import divisor
from lrtransfer.curvature.sharpness import sharpness
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart


class PreconditionedSharpness(WarmStart):
    """Columns ``preconditioned_sharpness``, ``…_residual``, ``…_products``.

    The value is the algebraic λ_max of P^-½D^½HD^½P^-½, with D the per-tensor learning rates over
    the global one and P the optimizer's preconditioner: for Adam (1−β₁^t)·[√(ν/(1−β₂^t)) + ε],
    for RMSProp √ν + ε. Its edge of stability is 2(1+β₁)/((1−β₁)η) for Adam, 38/η at β₁ = 0.9,
    and 2/η for RMSProp (Noci et al. 2024, §J.1; Cohen et al. 2022). Before the first update there
    is no preconditioner, and the value is NaN.
    """

    sums = True

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector.

        Raises:
            ValueError: The optimizer keeps no squared gradients.
        """
        names = tuple(f"preconditioned_sharpness{part}" for part in ("", "_residual", "_products"))
        self.gradients = 0.0
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
                process_group=at.process_group,
            )
        except NonFiniteCurvatureError:
            return dict.fromkeys(names, math.nan)
        self.eigenvector = found.eigenvector
        self.gradients = 1.0 + 2.0 * found.products
        return dict(zip(names, (found.value, found.residual, float(found.products)), strict=True))


def _scale(at: Measurement) -> dict[str, Tensor] | None:
    """Return D/P by parameter name; None before the first update."""
    if not isinstance(at.optimizer, torch.optim.Adam | torch.optim.RMSprop):  # AdamW is an Adam
        raise ValueError(
            "preconditioned_sharpness needs adam, adamw or rmsprop, not "
            f"{type(at.optimizer).__name__}. Remove the probe from `measure`."
        )
    scale: dict[str, Tensor] = {}
    for group in at.optimizer.param_groups:
        (parameter,) = group["params"]
        state = at.optimizer.state.get(parameter)
        if not state:
            return None
        scale[group["name"]] = at.rates[group["name"]] / divisor(group, state)
    return scale


PROBE = PreconditionedSharpness
