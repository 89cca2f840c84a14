"""Sharpness of the training loss on the fixed subset, with its width-free normalisation."""

from __future__ import annotations

import math

from lrtransfer.curvature.sharpness import sharpness
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import WarmStart


class SharpnessProbe(WarmStart):
    """Columns `sharpness`, `sharpness_smallest`, `sharpness_residual`, `…_products`.

    The value is the algebraic λ_max of D^½HD^½ with D the per-tensor learning rates over the
    global one. Under μP it is γ²·λ_max(H), under NTP and SP λ_max(H) (Noci et al. 2024, §3), and
    the edge of stability is 2/η₀ in every case.
    """

    sums = True

    def measure(self, at: Measurement) -> dict[str, float]:
        """Run Lanczos from the last eigenvector."""
        names = ("sharpness", "sharpness_smallest", "sharpness_residual", "sharpness_products")
        self.gradients = 1.0
        try:
            found = sharpness(
                at.model,
                at.loss,
                (at.inputs, at.targets),
                scale=at.relative_rates,
                tolerance=at.tolerance,
                start=self.eigenvectors.get("sharpness"),
                generator=at.generator,
                process_group=at.process_group,
            )
        except self.nan_at("sharpness"):
            return dict.fromkeys(names, math.nan)
        self.eigenvectors["sharpness"] = found.eigenvector
        self.gradients += 2.0 * found.products
        values = (found.value, found.smallest, found.residual, float(found.products))
        return dict(zip(names, values, strict=True))


PRICE = 16.0
COLUMNS = {
    "sharpness": ("curvature", "compared"),
    "sharpness_smallest": (),
    "sharpness_residual": (),
    "sharpness_products": (),
}
PROBE = SharpnessProbe
