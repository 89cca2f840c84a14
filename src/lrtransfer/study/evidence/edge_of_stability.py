"""Where the sharpness ends relative to the edge of stability, and where that edge lies.

Gradient descent on a quadratic is stable up to λ = 2/η; heavy-ball momentum μ moves this to
(2 + 2μ)/η, Nesterov's to (2 + 2μ)/((1 + 2μ)η) (Cohen et al. 2021, "Gradient Descent on Neural
Networks Typically Occurs at the Edge of Stability"). Adam with a frozen preconditioner P is stable
up to λ(P⁻¹H) = (2 + 2β₁)/((1 − β₁)η), 38/η at β₁ = 0.9 (Cohen et al. 2022, "Adaptive Gradient
Methods at the Edge of Stability").
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.measured import means_over_seeds
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.size import POOLED

PRECONDITIONED = "preconditioned_sharpness"


def edge_factor(config: Mapping[str, Any], quantity: str) -> float:
    """Return the edge of stability of a curvature times η₀: 2 for plain gradient descent.

    Args:
        config: a run's resolved configuration.
        quantity: "sharpness" or `PRECONDITIONED`.

    Returns:
        The edge, or NaN where none is known: the plain sharpness has none under Adam.
    """
    options = config["optimizer"]["options"]
    if "beta1" not in options:
        momentum = float(options.get("momentum", 0.0))
        return (2.0 + 2.0 * momentum) / (1.0 + 2.0 * momentum * bool(options.get("nesterov")))
    if quantity != PRECONDITIONED:
        return float("nan")
    beta1 = float(options["beta1"])
    return (2.0 + 2.0 * beta1) / (1.0 - beta1)


def bounded_quantity(measured: pd.DataFrame) -> str:
    """Return the curvature that the edge bounds: the preconditioned one where it was measured.

    Args:
        measured: curves of one arm's measured runs.
    """
    has = PRECONDITIONED in measured.columns and bool(measured[PRECONDITIONED].notna().any())
    return PRECONDITIONED if has else "sharpness"


def edge_of_stability(runs: pd.DataFrame, measured: pd.DataFrame) -> Iterator[Row]:
    """Yield curvature over its edge at an arm's last measured step: 1 is the edge of stability.

    Per size, and pooled over each seed's mean over sizes; then the edge itself. Runs that diverged
    before the last step are left out; so is an arm whose edge is not known.

    Args:
        runs: the experiment's runs, with `config` as JSON text.
        measured: curves of measured runs, with `lr` (η₀) joined and the width-free sharpness.
    """
    configs = runs.drop_duplicates("arm").set_index("arm")["config"]
    for arm, of_arm in measured.groupby("arm", sort=False):
        quantity = bounded_quantity(of_arm)
        factor = edge_factor(json.loads(configs[arm]), quantity)
        if quantity not in of_arm or math.isnan(factor):
            continue
        for fixed, group in of_arm.dropna(subset=[quantity]).groupby("fixed"):
            final = group[group["step"] == group["step"].max()]
            ratio = final.assign(ratio=final[quantity] * final["lr"] / factor).pivot(
                index="seed", columns="size", values="ratio"
            )
            place: dict[str, Any] = {
                "arm": str(arm),
                "axis": final["axis"].iloc[0],
                "fixed": int(str(fixed)),
                "quantity": quantity,
            }
            for size, mean in means_over_seeds(ratio):
                count = len(ratio.columns) if size == POOLED else 1
                of = Of(statistic="edge_ratio", unit="1", size=size, n_sizes=count, **place)
                yield of, mean
            edge = Estimate(factor / float(final["lr"].iloc[0]))
            yield Of(statistic="edge", unit="curvature", **place), edge
