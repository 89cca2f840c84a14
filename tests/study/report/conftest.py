"""An experiment's report without training or drawing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lrtransfer.study.report import ExperimentReport, ReportFigure


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), "white").save(buffer, format="PNG")
    return buffer.getvalue()


def claim(**changes: Any) -> dict[str, Any]:
    record = {
        "id": "mup_optimum_stays",
        "paper": "super-consistency",
        "statement": "The optimum stays put.",
        "metric": "drift slope",
        "value": 0.02,
        "ci_low": -0.05,
        "ci_high": 0.09,
        "rule": "within [-0.1, 0.1]",
        "verdict": "supported",
        "scale": "laptop",
        "experiment": "width_transfer_vision",
        "figure": "width_transfer",
    }
    return {**record, **changes}


@pytest.fixture
def experiment() -> ExperimentReport:
    runs = pd.DataFrame(
        {
            "arm": ["mup", "mup", "sp", "sp"],
            "width": [32, 64, 32, 64],
            "depth": 3,
            "log2_lr": [-1.0, 2.0, -7.0, -3.0],
            "seed": [0, 1, 0, 1],
            "status": ["ok", "ok", "ok", "diverged"],
            "wall_seconds": [60.0, 120.0, 30.0, 10.0],
            "measured": [True, True, False, True],
            "measuring_share": [0.1, 0.2, 0.0, np.nan],
        }
    )
    drift = pd.DataFrame(
        {
            "arm": ["sp", "mup"],
            "axis": "width",
            "fixed": 3,
            "slope": [-0.7, 0.02],
            "ci_low": [-0.9, np.nan],
            "ci_high": [-0.5, np.nan],
            "n_sizes": 2,
            "n_seeds": 2,
            "censored": [True, False],
        }
    )
    optima = pd.DataFrame(
        {
            "arm": ["mup", "sp"],
            "axis": "width",
            "fixed": 3,
            "size": 32,
            "log2_lr": [0.25, -7.0],
            "ci_low": [0.0, -np.inf],
            "ci_high": [0.5, -6.5],
            "at_edge": ["none", "low"],
            "loss": [0.31, 0.42],
            "n_seeds": 2,
        }
    )
    return ExperimentReport(
        name="width_transfer_vision",
        question="Does the best learning rate stay put?",
        paper="super-consistency",
        scale="laptop",
        arms={"mup": "μP", "sp": "SP"},
        runs=runs,
        description="residual MLP on MNIST, SGD",
        fits={"drift": drift, "optima": optima},
        figures=[
            ReportFigure("width_transfer", png(), "First.\nSecond <b>.", "Lines & bands"),
            ReportFigure("consistency", png(), "Distances.", "Distances by width"),
        ],
        redo=["make study EXPERIMENTS=width_transfer_vision"],
    )
