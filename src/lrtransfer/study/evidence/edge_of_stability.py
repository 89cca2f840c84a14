"""Where the sharpness is relative to the edge of stability, and where that edge lies.

Gradient descent on a quadratic is stable up to λ = 2/η; momentum moves this (`theory/momentum.py`).
Adam's edge, with a frozen preconditioner P, is that of λ(P⁻¹H), and RMSProp's that of gradient
descent with its momentum. The plain sharpness has no edge under either. Under mini-batches and
momentum β the batch sharpness has two plateaus, of small batches and of large ones. Steepest
descent in another norm has its edge at 2/η in that norm's sharpness (Islamov et al. 2026).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.measured import means_over_seeds
from lrtransfer.theory.momentum import (
    averaged_edge,
    heavy_ball_edge,
    nesterov_edge,
    small_batch_plateau,
)
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.size import POOLED

# Of these the theory is known; one of a user's own may do what it likes with a momentum or a β.
_WITH_AN_EDGE = ("sgd", "adam", "adamw", "rmsprop")
PRECONDITIONED, BATCH = "preconditioned_sharpness", "batch_sharpness"


def edge_factor(config: Mapping[str, Any], quantity: str) -> float:
    """Return the edge of stability of a curvature times η₀: 2 for plain gradient descent.

    Args:
        config: a run's resolved configuration.
        quantity: "sharpness", `PRECONDITIONED`, or what `of_norm` names.

    Returns:
        The edge, or NaN where none is known: the plain sharpness has none where the optimizer
        divides by squared gradients (it has a β₂), or descends in another norm; an optimizer
        without a theory has none at all.
    """
    options = config["optimizer"]["options"]
    if (own := of_norm(config)) is not None:
        return 2.0 if quantity == own else float("nan")
    if config["optimizer"]["name"] not in _WITH_AN_EDGE:
        return float("nan")
    if {"beta1", "beta2"} & options.keys() and quantity != PRECONDITIONED:
        return float("nan")
    if "beta1" in options:
        return averaged_edge(float(options["beta1"]))
    form = nesterov_edge if options.get("nesterov") else heavy_ball_edge
    return form(float(options.get("momentum", 0.0)))


def of_norm(config: Mapping[str, Any]) -> str | None:
    """Return the sharpness that steepest descent's norm asks for; None for other optimizers."""
    if config["optimizer"]["name"] != "steepest":
        return None
    options = config["optimizer"]["options"]
    quantity = "sign_sharpness" if options["norm"] == "linf" else "spectral_sharpness"
    return f"{quantity}_normalised" if options["normalised"] else quantity


def stochastic_edges(config: Mapping[str, Any]) -> tuple[float, float]:
    """Return the batch sharpness's plateaus times η₀, of small batches and of large ones.

    2(1 − β) and 2(1 + β) under heavy-ball momentum. NaN where no source gives one: Nesterov's at
    small batches, and both where the optimizer divides by squared gradients or has no theory, or a
    tuner chooses η.
    """
    options = config["optimizer"]["options"]
    unknown = config["optimizer"]["name"] not in _WITH_AN_EDGE
    if {"beta1", "beta2"} & options.keys() or config.get("tuner") or of_norm(config) or unknown:
        return float("nan"), float("nan")
    beta, nesterov = float(options.get("momentum", 0.0)), bool(options.get("nesterov"))
    small = float("nan") if nesterov else small_batch_plateau(beta)
    return small, edge_factor(config, "sharpness")


def bounded_quantity(measured: pd.DataFrame, config: Mapping[str, Any] | None = None) -> str:
    """Return the curvature that the edge bounds: the preconditioned one where it was measured.

    Args:
        measured: curves of one arm's measured runs.
        config: of one of them: steepest descent's edge bounds the sharpness of its norm.
    """
    if config is not None and (own := of_norm(config)) is not None:
        return own
    has = PRECONDITIONED in measured.columns and bool(measured[PRECONDITIONED].notna().any())
    return PRECONDITIONED if has else "sharpness"


def edge_of_stability(runs: pd.DataFrame, measured: pd.DataFrame) -> Iterator[Row]:
    """Yield curvature over its edge at an arm's measured steps: 1 is the edge of stability.

    Per size, and pooled over each seed's mean over sizes; `at` is the share of the run that the
    step is at. Then the edge itself. Likewise the batch sharpness over its plateau at small batches
    (`stochastic_edge_ratio`, `stochastic_edge`). A run that diverged has no rows after that; an arm
    whose edge is not known has none.

    Args:
        runs: the experiment's runs, with `config` as JSON text.
        measured: curves of measured runs, with `lr` (η₀) joined and the width-free sharpness.
    """
    configs = runs.drop_duplicates("arm").set_index("arm")["config"]
    for arm, of_arm in measured.groupby("arm", sort=False):
        config = json.loads(configs[arm])
        quantity = bounded_quantity(of_arm, config)
        yield from _over_edge(of_arm, "edge", quantity, edge_factor(config, quantity), config)
        plateau, _ = stochastic_edges(config)
        yield from _over_edge(of_arm, "stochastic_edge", BATCH, plateau, config)


def _over_edge(
    of_arm: pd.DataFrame, edge: str, quantity: str, factor: float, config: Mapping[str, Any]
) -> Iterator[Row]:
    """Yield a quantity of one arm over factor/η₀, then that."""
    if quantity not in of_arm or math.isnan(factor):
        return
    length = config.get("steps", of_arm["step"].max())
    for fixed, group in of_arm.dropna(subset=[quantity]).groupby("fixed"):
        place: dict[str, Any] = {
            "arm": str(group["arm"].iloc[0]),
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
                yield Of(statistic=f"{edge}_ratio", unit="1", **where), mean
        value = Estimate(factor / float(group["lr"].iloc[0]))
        yield Of(statistic=edge, unit="curvature", **place), value
