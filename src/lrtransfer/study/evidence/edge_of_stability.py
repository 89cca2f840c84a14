"""Where the sharpness is relative to the edge of stability, and where that edge lies.

Gradient descent on a quadratic is stable up to λ = 2/η; heavy-ball momentum μ moves this to
(2 + 2μ)/η, Nesterov's to (2 + 2μ)/((1 + 2μ)η) (Cohen et al. 2021, "Gradient Descent on Neural
Networks Typically Occurs at the Edge of Stability"). Adam with a frozen preconditioner P is stable
up to λ(P⁻¹H) = (2 + 2β₁)/((1 − β₁)η), 38/η at β₁ = 0.9 (Cohen et al. 2022, "Adaptive Gradient
Methods at the Edge of Stability"); RMSProp's is that of gradient descent with its momentum. The
plain sharpness has no edge under either.
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
        The edge, or NaN where none is known: the plain sharpness has none where the optimizer
        divides by squared gradients (it has a β₂).
    """
    options = config["optimizer"]["options"]
    if {"beta1", "beta2"} & options.keys() and quantity != PRECONDITIONED:
        return float("nan")
    if "beta1" in options:
        beta1 = float(options["beta1"])
        return (2.0 + 2.0 * beta1) / (1.0 - beta1)
    momentum = float(options.get("momentum", 0.0))
    return (2.0 + 2.0 * momentum) / (1.0 + 2.0 * momentum * bool(options.get("nesterov")))


def bounded_quantity(measured: pd.DataFrame) -> str:
    """Return the curvature that the edge bounds: the preconditioned one where it was measured.

    Args:
        measured: curves of one arm's measured runs.
    """
    has = PRECONDITIONED in measured.columns and bool(measured[PRECONDITIONED].notna().any())
    return PRECONDITIONED if has else "sharpness"


def edge_of_stability(runs: pd.DataFrame, measured: pd.DataFrame) -> Iterator[Row]:
    """Yield curvature over its edge at an arm's measured steps: 1 is the edge of stability.

    Per size, and pooled over each seed's mean over sizes; `at` is the share of the run that the
    step is at. Then the edge itself. A run that diverged has no rows after that; an arm whose edge
    is not known has none.

    Args:
        runs: the experiment's runs, with `config` as JSON text.
        measured: curves of measured runs, with `lr` (η₀) joined and the width-free sharpness.
    """
    configs = runs.drop_duplicates("arm").set_index("arm")["config"]
    for arm, of_arm in measured.groupby("arm", sort=False):
        quantity = bounded_quantity(of_arm)
        config = json.loads(configs[arm])
        factor, length = edge_factor(config, quantity), config.get("steps", of_arm["step"].max())
        if quantity not in of_arm or math.isnan(factor):
            continue
        for fixed, group in of_arm.dropna(subset=[quantity]).groupby("fixed"):
            place: dict[str, Any] = {
                "arm": str(arm),
                "axis": group["axis"].iloc[0],
                "fixed": int(str(fixed)),
                "quantity": quantity,
            }
            ratios = group.assign(ratio=group[quantity] * group["lr"] / factor)
            for step, rows in ratios.groupby("step"):
                at = f"{float(str(step)) / max(float(length), 1):.4g}"
                table = rows.pivot(index="seed", columns="size", values="ratio")
                for size, mean in means_over_seeds(table):
                    count = len(table.columns) if size == POOLED else 1
                    where = {**place, "size": size, "at": at, "n_sizes": count}
                    yield Of(statistic="edge_ratio", unit="1", **where), mean
            edge = Estimate(factor / float(group["lr"].iloc[0]))
            yield Of(statistic="edge", unit="curvature", **place), edge
