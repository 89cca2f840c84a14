"""The curvature that mini-batch gradients meet along themselves."""

from __future__ import annotations

import math

from lrtransfer.curvature import mini_batches
from lrtransfer.curvature.batch_sharpness import batch_sharpness
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless

_BATCHES = 16


class BatchSharpness(Stateless):
    """Columns `batch_sharpness`, `…_of_means` and `…_error`.

    E_B[g·H_B g/‖g‖²] over mini-batches B of the run's size drawn from the subset, in the geometry
    of D (Andreyev and Beneventano 2024); `of_means` is E[g·H_B g]/E‖g‖², of which moving
    averages of CDAT's n and d are an estimate for u = −g; `error` is the standard error.
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Take one product with the Hessian of each of 16 mini-batches."""
        names = [f"batch_sharpness{part}" for part in ("", "_of_means", "_error")]
        self.gradients = 0.0
        size = min(at.batch_size, len(at.inputs))
        drawn = mini_batches((at.inputs, at.targets), size, generator=at.generator)
        try:
            found = batch_sharpness(
                at.model, at.loss, drawn, scale=at.relative_rates, max_batches=_BATCHES
            )
        except (NonFiniteCurvatureError, ValueError):
            return dict.fromkeys(names, math.nan)
        self.gradients = 3 * found.batches * size / len(at.inputs)
        values = (found.value, found.ratio_of_means, found.standard_error)
        return dict(zip(names, values, strict=True))


PRICE = 16.0
COLUMNS = {"batch_sharpness": (), "batch_sharpness_of_means": (), "batch_sharpness_error": ()}
PROBE = BatchSharpness
