"""An experiment's report without training or drawing."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lrtransfer.study.evidence.estimates import Of, Row, table
from lrtransfer.study.figures.tables import Tables
from lrtransfer.study.report import charts
from lrtransfer.study.report.report import ExperimentReport, ReportFigure
from lrtransfer.transfer.estimate import Estimate, Unit
from tests.study.figures.synthetic import estimate


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), "white").save(buffer, format="PNG")
    return buffer.getvalue()


def claim(**changes: Any) -> dict[str, Any]:
    record = {
        "id": "mup_optimum_stays",
        "paper": "super-consistency",
        "statement": "The optimum stays put.",
        "measure": "drift",
        "metric": "drift slope",
        "value": 0.02,
        "ci_low": -0.05,
        "ci_high": 0.09,
        "rule": "in [-0.1, 0.1]",
        "verdict": "supported",
        "scale": "laptop",
        "experiment": "width_transfer_vision",
        "figure": "width_transfer",
    }
    return {**record, **changes}


def runs() -> pd.DataFrame:
    config = {"seed": 0, "model": {"width": 32, "family": "mlp"}, "steps": 8}
    return pd.DataFrame(
        {
            "arm": ["mup", "mup", "sp", "sp"],
            "key": [f"run{i}" for i in range(4)],
            "width": [32, 64, 32, 64],
            "depth": 3,
            "lr": [0.5, 4.0, 0.0078125, 0.125],
            "log2_lr": [-1.0, 2.0, -7.0, -3.0],
            "seed": [0, 1, 0, 1],
            "steps": 600,
            "status": ["ok", "ok", "ok", "diverged"],
            "diverged_step": [np.nan, np.nan, np.nan, 40],
            "final_loss": [0.5, 0.25, 0.4, np.nan],
            "measured": [True, True, False, True],
            "measuring_share": [0.1, 0.2, 0.0, np.nan],
            "config": [json.dumps({**config, "learning_rate": 2.0**i}) for i in range(4)],
        }
    )


def estimates() -> Iterator[Row]:
    """Two arms: one that stays, of unknown scatter, and one that moves and ends at the grid."""
    units = (Unit(0, 0, 0.0), Unit(1, 0, 0.0))
    net: dict[str, Any] = {"fixed": 3, "size": 32}
    for arm, slope, half, open_low in (("sp", -0.7, 0.2, True), ("mup", 0.02, math.nan, False)):
        of = Of(statistic="drift", unit="octaves per octave", arm=arm, fixed=3, n_sizes=2)
        yield of, estimate(slope, half, open_low=open_low, units=units)
    for arm, side, rate, half, loss in (
        ("mup", "", 0.25, 0.2, 0.31),
        ("sp", "low", -7.0, 0.5, 0.42),
    ):
        of = Of(statistic="optimum", unit="", arm=arm, at=side, **net)
        yield of, estimate(rate, half, open_low=side == "low", units=units)
        yield Of(statistic="optimal_loss", unit="loss", arm=arm, **net), Estimate(loss)


def with_rows(report: ExperimentReport, rows: Iterable[Row]) -> ExperimentReport:
    """The report with more estimates."""
    both = [report.tables.estimates, table("", rows).to_pandas()]
    return replace(report, tables=replace(report.tables, estimates=pd.concat(both)))


@pytest.fixture(scope="session")
def library() -> str:
    """The page's library, bundled once: that takes three seconds."""
    return charts.library()


@pytest.fixture
def experiment(library: str) -> ExperimentReport:
    return ExperimentReport(
        name="width_transfer_vision",
        question="Does the best learning rate stay put?",
        paper="super-consistency",
        scale="laptop",
        arms={"mup": "μP", "sp": "SP"},
        tables=Tables(runs=runs(), estimates=table("", estimates()).to_pandas()),
        description="residual MLP on MNIST, SGD",
        figures=[
            ReportFigure("width_transfer", png(), "First.\nSecond <b>.", "Lines & bands"),
            ReportFigure("consistency", png(), "Distances.", "Distances by width"),
        ],
        redo=["make study EXPERIMENTS=width_transfer_vision"],
    )
