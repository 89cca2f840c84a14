"""Top singular values of every matrix and of its last update."""

from __future__ import annotations

import math

from torch import Tensor

from lrtransfer.alignment.singular_values import singular_values, spectral_scale
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless
from lrtransfer.study.probes.pooled import hidden, table


class SingularValues(Stateless):
    """Columns `<quantity>/<weight>` of the weights at this step and of the update that led to it.

    `singular_value`, `…_2`, `…_3` are the largest of W, `update_singular_value` that of ΔW.
    `spectral_norm` and `spectral_update` are the first of each over √(fan-out/fan-in), which the
    spectral condition holds constant over width (Yang et al. 2023). A column `<quantity>` is the
    geometric mean over the hidden weights. Before the first update those of ΔW are NaN.
    """

    needs_update = True
    # A decomposition of n × n costs about as much as 20 products with n columns.
    gradients = 1.0

    def measure(self, at: Measurement) -> dict[str, float]:
        """Decompose every matrix and its change."""
        found = {}
        for name, parameter in at.model.named_parameters():
            if not parameter.requires_grad or parameter.ndim < 2:
                continue
            weight = parameter.detach()
            change = None if at.update is None else weight - at.update.previous[name]
            found[name] = _quantities(weight, change)
        return table(found, hidden(at.model))


def _quantities(weight: Tensor, change: Tensor | None) -> dict[str, float]:
    first, second, third = singular_values(weight, 3).tolist()
    moved = math.nan if change is None else float(singular_values(change)[0])
    scale = spectral_scale(weight)
    return {
        "singular_value": first,
        "singular_value_2": second,
        "singular_value_3": third,
        "update_singular_value": moved,
        "spectral_norm": first / scale,
        "spectral_update": moved / scale,
    }


PRICE = 1.0
COLUMNS = {
    "singular_value": (),
    "singular_value_2": (),
    "singular_value_3": (),
    "update_singular_value": (),
    "spectral_norm": ("phases",),
    "spectral_update": ("phases",),
}
PROBE = SingularValues
