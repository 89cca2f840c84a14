"""Sharpness as an adaptive optimizer sees it: of P⁻¹H, on the fixed subset."""

from __future__ import annotations

import math

import torch

from lrtransfer.curvature.preconditioner import divisors, scale_of_divisors
from lrtransfer.curvature.sharpness import sharpness
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart


class PreconditionedSharpness(WarmStart):
    """Columns `preconditioned_sharpness`, `…_residual`, `…_products`.

    The value is the algebraic λ_max of P^-½D^½HD^½P^-½, with D the per-tensor learning rates over
    the global one and P the optimizer's preconditioner: for Adam (1−β₁^t)·[√(ν/(1−β₂^t)) + ε],
    for RMSProp √ν + ε. Its edge of stability is 2(1+β₁)/((1−β₁)η) for Adam, 38/η at β₁ = 0.9,
    and 2/η for RMSProp (Noci et al. 2024, §J.1; Cohen et al. 2022). A parameter that never had a
    gradient is left out. Before the first update there is no preconditioner, and the value is NaN.
    """

    sums = True

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector.

        Raises:
            ValueError: The optimizer keeps no squared gradients.
        """
        names = tuple(f"preconditioned_sharpness{part}" for part in ("", "_residual", "_products"))
        self.gradients = 0.0
        if not isinstance(at.optimizer, torch.optim.Adam | torch.optim.RMSprop):  # AdamW is an Adam
            raise ValueError(
                "preconditioned_sharpness needs adam, adamw or rmsprop, not "
                f"{type(at.optimizer).__name__}. Remove the probe from `measure`."
            )
        trained = {n: p for n, p in at.model.named_parameters() if n in at.relative_rates}
        divided = divisors(trained, at.optimizer)
        if not divided:
            return dict.fromkeys(names, math.nan)
        scale = scale_of_divisors(trained, divided, at.relative_rates)
        try:
            found = sharpness(
                at.model,
                at.loss,
                (at.inputs, at.targets),
                scale=scale,
                tolerance=at.tolerance,
                start=self.eigenvectors.get("preconditioned_sharpness"),
                generator=at.generator,
                process_group=at.process_group,
            )
        except self.nan_at("preconditioned_sharpness"):
            return dict.fromkeys(names, math.nan)
        self.eigenvectors["preconditioned_sharpness"] = found.eigenvector
        self.gradients = 1.0 + 2.0 * found.products
        return dict(zip(names, (found.value, found.residual, float(found.products)), strict=True))


PRICE = 16.0
COLUMNS = {
    "preconditioned_sharpness": ("curvature", "compared"),
    "preconditioned_sharpness_residual": (),
    "preconditioned_sharpness_products": (),
}
PROBE = PreconditionedSharpness
