"""The trace of the Hessian on the fixed subset: the sum of what the sharpness is the end of."""

from __future__ import annotations

import math

from lrtransfer.curvature.hessian import HessianOperator
from lrtransfer.curvature.linear_operator import NonFiniteCurvatureError
from lrtransfer.curvature.trace import trace
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless

_MOST_PRODUCTS = 40


class TraceProbe(Stateless):
    """Columns `trace`, tr(D^½HD^½), and `trace_error`, its standard error.

    D are the per-tensor learning rates over the global one, so that under μP the trace is that of
    γ²H (Noci et al. 2024, Figure 23). An estimate by XTrace of at most forty products.
    """

    def measure(self, at: Measurement) -> dict[str, float]:
        """Estimate the trace with this step's own random probes."""
        self.gradients = 1.0
        try:
            operator = HessianOperator(
                at.model, at.loss, (at.inputs, at.targets), scale=at.relative_rates
            )
            found = trace(operator, max_products=_MOST_PRODUCTS, generator=at.generator)
        except NonFiniteCurvatureError:
            return {"trace": math.nan, "trace_error": math.nan}
        self.gradients += 2.0 * found.products
        return {"trace": found.value, "trace_error": found.standard_error}


PRICE = 60.0
COLUMNS = {"trace": ("curvature", "compared"), "trace_error": ()}
PROBE = TraceProbe
