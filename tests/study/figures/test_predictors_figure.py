"""The figure over arms: points and correlations are the estimates', gaps are named."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.tables import Arm, Drawn, Settings, Tables
from tests.study.evidence.test_predictors import DRIFTS, UPDATES, study

from . import synthetic

ARMS = {f"arm_{i}": Arm(f"arm {i}", 1.0, 16, 4) for i in range(len(DRIFTS))}


@cache
def tables() -> Tables:
    runs, curves = study()
    configs = runs["config"].map(json.loads)
    runs["config"] = [json.dumps(config | {"loss": "cross_entropy"}) for config in configs]
    return synthetic.estimated(runs, curves)


def settings() -> Settings:
    return Settings(experiment="planted", arms=ARMS, scale="laptop", dpi=60)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return draw("predictors", tables(), settings(), tmp_path_factory.mktemp("predictors"))


def test_an_arm_is_a_point_of_predicted_and_found(drawn: Drawn) -> None:
    plotted = pd.read_csv(drawn.csv)
    points = plotted[(plotted["panel"] == "drift") & (plotted["quantity"] == "edge_sharpness")]
    assert points["arm"].tolist() == list(ARMS)
    assert points["x"].tolist() == pytest.approx(DRIFTS, abs=1e-9)
    assert points["value"].tolist() == pytest.approx(DRIFTS, abs=0.05)
    forest = plotted[plotted["panel"] == "correlation"].set_index(["quantity", "window"])
    for row in tables().shown("rank_correlation", 0.95).to_dict("records"):
        drawn_at = forest.loc[(row["quantity"], row["at"]), "x"]
        assert drawn_at == pytest.approx(row["value"])


def test_the_caption_says_the_correlations_and_what_is_missing(drawn: Drawn) -> None:
    assert "Rank correlation over 7 arms" in drawn.caption
    assert "1 [0.67, 1] for the rate × curvature, which explains 100 %" in drawn.caption
    assert "for the relative update" in drawn.caption
    assert "Missing: rate × NTK; alignment ratio; relative change." in drawn.caption
    assert "nan" not in (drawn.caption + drawn.alt).lower()


def test_few_arms_and_nothing_measured_are_said(tmp_path: Path) -> None:
    few = tables().runs["arm"].isin(["arm_0", "arm_1"])
    runs = tables().runs[few]
    curves = tables().curves[tables().curves["key"].isin(runs["key"])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        some = synthetic.estimated(runs, curves)
        drawing = draw("predictors", some, settings(), tmp_path / "few")
        assert "Rank correlation" not in drawing.caption
        bare = draw("predictors", Tables(runs=tables().runs), settings(), tmp_path / "bare")
    assert "rate × curvature; rate × NTK" in bare.caption
    assert UPDATES not in bare.caption
