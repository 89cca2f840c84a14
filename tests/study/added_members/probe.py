"""The size of the outputs on the fixed subset."""

from __future__ import annotations

import torch

from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless


class OutputNorm(Stateless):
    """Column ``output_norm``."""

    gradients = 1 / 3

    def measure(self, at: Measurement) -> dict[str, float]:
        """Evaluate the model once."""
        with torch.no_grad():
            return {"output_norm": float(at.model(at.inputs).norm())}


PRICE = 0.4
COLUMNS = {"output_norm": ("compared", "curvature")}
PROBE = OutputNorm
