"""Runs and curves of tuners with planted effects, for fits and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

STEPS = 16
PRICES = {"constant": 1.0, "cdat": 3.0, "greedy": 3.0, "line_search": 2.0}

Losses = Mapping[str, Mapping[float, float]]
"""Arm -> learning rate -> log2 of the final loss; infinity diverges."""


def tuner_runs(
    losses: Losses,
    *,
    tuners: Mapping[str, dict[str, Any]] | None = None,
    references: Mapping[str, float] | None = None,
    seeds: tuple[int, ...] = (0, 1, 2),
    width: int = 64,
    depth: int = 2,
    experiment: str = "tuners",
    batches: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Return one row per run; seed s adds 0.1·s to every log2 loss, which pairs take out."""
    rows = []
    for arm, by_rate in losses.items():
        tuner = (tuners or {}).get(arm, {"name": "constant", "options": {"learning_rate": 1.0}})
        config = {
            "batch_size": (batches or {}).get(arm, 64),
            "loss": "squared",
            "optimizer": {"name": "sgd", "options": {}},
            "tuner": tuner,
        }
        for rate, value in by_rate.items():
            for seed in seeds:
                ok = bool(np.isfinite(value))
                rows.append(
                    {
                        "experiment": experiment,
                        "arm": arm,
                        "key": f"{arm}-{rate}-{seed}-{width}-{depth}",
                        "width": width,
                        "depth": depth,
                        "lr": rate,
                        "log2_lr": float(np.log2(rate)),
                        "seed": seed,
                        "measured": rate == (references or {}).get(arm, 1.0),
                        "status": "ok" if ok else "diverged",
                        "initial_loss": 4.0,
                        "final_loss": 2.0 ** (value + 0.1 * seed) if ok else np.nan,
                        "config": json.dumps(config),
                    }
                )
    return pd.DataFrame(rows)


def tuner_curves(
    runs: pd.DataFrame, quantities: Mapping[str, Mapping[str, tuple[float, float]]]
) -> pd.DataFrame:
    """Return curves over 16 steps that go geometrically (or linearly, if signed) between two ends.

    Args:
        runs: from `tuner_runs`.
        quantities: arm -> column -> (start, end).
    """
    steps = np.arange(STEPS + 1)
    share = steps / STEPS
    frames = []
    for run in runs.to_dict("records"):
        final = run["final_loss"] if np.isfinite(run["final_loss"]) else run["initial_loss"]
        columns: dict[str, Any] = {
            "key": run["key"],
            "step": steps,
            "loss": run["initial_loss"] ** (1 - share) * final**share,
        }
        name = json.loads(run["config"])["tuner"]["name"]
        columns["gradient_evaluations"] = PRICES.get(name, 1.0) * steps
        for column, (start, end) in quantities.get(run["arm"], {}).items():
            signed = start <= 0 or end <= 0
            mixed = start + (end - start) * share if signed else start ** (1 - share) * end**share
            columns[column] = mixed * (1 + 1e-3 * run["seed"])
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
