"""The figures on weight decay: what they draw is what the tables hold, and gaps are named."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.figures import style
from lrtransfer.study.figures.decay_transfer import decay_transfer
from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.implicit_warmup import implicit_warmup
from lrtransfer.study.figures.tables import Arm, Drawn, Settings, Tables
from lrtransfer.theory import weight_decay
from tests.study.evidence import decay_runs

from . import synthetic

pytestmark = pytest.mark.slow

NAMES = ("decay_alignment", "decay_changes", "implicit_warmup", "late_updates")
ARMS = {name: Arm(name, 0.0625, decay_runs.STEPS, 40) for name in decay_runs.ARMS}


@cache
def tables() -> Tables:
    runs, curves = decay_runs.study()
    configs = runs["config"].map(json.loads)
    runs["config"] = [json.dumps(config | {"loss": "cross_entropy"}) for config in configs]
    return synthetic.estimated(runs, curves)


def settings(arms: tuple[str, ...] = tuple(ARMS)) -> Settings:
    chosen = {name: ARMS[name] for name in arms}
    return Settings(experiment="weight_decay", arms=chosen, scale="laptop", dpi=60)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    folder = tmp_path_factory.mktemp("decay")
    return {name: draw(name, tables(), settings(), folder) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_captions_say_what_was_measured(name: str, drawn: dict[str, Drawn]) -> None:
    figure = drawn[name]
    assert "widths 16, 64 and 128, 3 seeds, 400 steps" in figure.caption
    assert "Missing" not in figure.caption
    assert "nan" not in (figure.caption + figure.alt).lower()
    assert figure.png.stat().st_size > 5000


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_measured_is_named(name: str, tmp_path: Path) -> None:
    bare = Tables(runs=tables().runs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(name, bare, settings(), tmp_path)
    assert "Missing: independent" in figure.caption


def test_alignment_draws_the_means_and_what_mup_assumes(drawn: dict[str, Drawn]) -> None:
    plotted = pd.read_csv(drawn["decay_alignment"].csv)
    assert set(plotted["arm"]) == {"independent", "standard"}, "a row for each of two arms"
    ratio = plotted[
        (plotted["quantity"] == "alignment_ratio_without_decay") & (plotted["size"] == 64)
    ]
    mean = ratio[ratio["panel"] == "mean"].set_index(["arm", "x"])["value"]
    assert mean["independent", 1.0] == pytest.approx(2.0)
    assert mean["independent", 400.0] == pytest.approx(1.0)
    assert ratio.loc[ratio["panel"] == "law", "value"].tolist() == pytest.approx([8.0, 8.0])
    assert "from 4 to 1" not in drawn["decay_alignment"].caption
    assert "from 1 to 1 at width 16 and from 2.8 to 1 at width 128" in (
        drawn["decay_alignment"].caption
    )


def test_changes_are_drawn_for_every_arm_with_its_exponent(drawn: dict[str, Drawn]) -> None:
    figure = drawn["decay_changes"]
    plotted = pd.read_csv(figure.csv)
    assert set(plotted["arm"]) == set(ARMS)
    assert "standard: late changes grow as width^−0." in figure.caption
    assert "final loss 0.1 nats from the first arm's at width 128" in figure.caption


def test_the_warm_up_is_drawn_with_both_predictions(drawn: dict[str, Drawn]) -> None:
    plotted = pd.read_csv(drawn["implicit_warmup"].csv)
    widest = plotted[plotted["size"] == 128].set_index(["panel", "x"])["value"]
    exact = weight_decay.implicit_warmup(decay_runs.rates("unscaled", 128), 0.4, 8.0, 128**-0.5)
    for step in decay_runs.MEASURED:
        assert widest["predicted", step] == pytest.approx(exact[step - 1], rel=1e-6)
        assert widest["measured", step] == pytest.approx(exact[step - 1], rel=1e-6)
    middle = decay_runs.MEASURED[len(decay_runs.MEASURED) // 2]
    assert widest["simplified", middle] < widest["predicted", middle]


def test_late_updates_lie_on_the_recursion(drawn: dict[str, Drawn]) -> None:
    plotted = pd.read_csv(drawn["late_updates"].csv)
    update = plotted[plotted["quantity"].isna() | plotted["quantity"].str.contains("update")]
    points = update.set_index(["panel", "arm", "size"])["value"]
    for arm in ARMS:
        for size in (16, 64, 128):
            law = points["recursion", arm, size]
            assert points["late", arm, size] == pytest.approx(law, rel=1e-3)
    assert "Exponents of late relative updates in width" in drawn["late_updates"].caption


def test_transfer_has_a_panel_per_arm_with_losses_and_optima(tmp_path: Path) -> None:
    study = synthetic.tables(sizes=[32, 64, 128])
    figure = draw("decay_transfer", study, synthetic.settings(), tmp_path)
    plotted = pd.read_csv(figure.csv)
    assert set(plotted["panel"]) >= {"transfer", "optimum"}
    finished = study.runs[(study.runs["status"] == "ok") & (study.runs["arm"] == "mup")]
    cell = finished[(finished["size"] == 64) & (finished["log2_lr"] == 0)]["final_loss"]
    row = plotted[
        (plotted["panel"] == "transfer")
        & (plotted["arm"] == "mup")
        & (plotted["size"] == 64)
        & (plotted["x"] == 0)
    ]
    assert row["value"].tolist() == pytest.approx([np.exp(np.log(cell).mean())])
    assert "the smallest net's optimum costs" in figure.caption
    only = replace(study, runs=study.runs[study.runs["arm"] == "mup"])
    lacking = draw("decay_transfer", only, synthetic.settings(["mup", "ntp"]), tmp_path)
    assert "Missing: NTP losses, as the arm has no run" in lacking.caption


def test_each_row_of_panels_says_what_it_shows() -> None:
    study = synthetic.tables(sizes=[32, 64])
    more = {f"{name}{place}": arm for place in "ab" for name, arm in synthetic.ARMS.items()}
    chosen = replace(synthetic.settings(), arms={**synthetic.ARMS, **more})
    with mpl.rc_context(style.rc()):
        drawing = decay_transfer(study, chosen)
    labels = [axes.get_ylabel() for axes in drawing.figure.axes]
    assert [place for place, label in enumerate(labels) if label] == [0, 3, 6]


def test_the_warm_ups_legend_names_the_drawn_widths_alone() -> None:
    with mpl.rc_context(style.rc()):
        drawing = implicit_warmup(tables(), settings())
    labels = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert labels == ["width 64", "width 128", "recursion for noise", "simplified formula"]
