"""Figures on tuners: what they draw is what the tables hold, and they say what is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.figures import style, tuned
from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.greedy_against_on_edge import greedy_against_on_edge
from lrtransfer.study.figures.tables import Arm, Drawing, Settings, Tables
from lrtransfer.study.figures.tuned_model import tuned_model
from lrtransfer.study.figures.tuner_dynamics import tuner_dynamics
from lrtransfer.study.figures.tuner_losses import tuner_losses
from lrtransfer.study.figures.tuner_map import tuner_map
from lrtransfer.study.figures.tuner_sweep import tuner_sweep
from tests.study.evidence.tuner_frames import STEPS, tuner_curves, tuner_runs

from .conftest import drawn_from

TUNERS = drawn_from("tuners")
CDAT = {"name": "cdat", "options": {"sigma": 2.0}}
GREEDY: dict[str, Any] = {"name": "greedy", "options": {}}
SETTINGS = Settings(
    experiment="tuners",
    arms={
        "constant": Arm("constant", 0.125, STEPS, 5),
        "greedy": Arm("greedy, σ = 1", 1.0, STEPS, 5),
        "cdat": Arm("CDAT", 1.0, STEPS, 5),
    },
    scale="laptop",
    dpi=50,
    description="a made-up net",
)


def tables(*, losses: Any = None, seeds: tuple[int, ...] = (0, 1, 2), bare: bool = False) -> Tables:
    """Return tables of three arms; `bare` without what probes measure."""
    found = losses or {
        "constant": {0.125: -4.0, 0.25: -3.0},
        "greedy": {1.0: -2.0},
        "cdat": {1.0: -6.0, 1.03125: -7.0, 1.25: math.inf},
    }
    runs = tuner_runs(
        found,
        tuners={"cdat": CDAT, "greedy": GREEDY},
        references={"constant": 0.125},
        seeds=seeds,
    )
    measured = {
        "edge_sharpness": (16.0, 15.0),
        "edge_alignment": (0.1, 0.9),
        "objective_gradient_norm": (2.0, 0.2),
        "one_step_greedy": (-2.0, -1.0),
        "one_step_on_edge": (-1.0, -0.5),
        "update_cosine": (0.5, -0.9),
    }
    own = {} if bare else measured
    quantities = {
        "constant": {"rate": (0.125, 0.125), **own},
        "greedy": {"rate": (0.06, 0.05), **own},
        "cdat": {"rate": (0.12, 0.14), **own},
    }
    return Tables(runs=runs, curves=tuner_curves(runs, quantities))


def drawn(figure: Any, found: Tables | None = None) -> Drawing:
    with mpl.rc_context(style.rc()):
        drawing: Drawing = figure(found or tables(), SETTINGS)
    return drawing


@pytest.mark.parametrize("name", TUNERS)
def test_every_figure_is_saved_with_words(name: str, tmp_path: Path) -> None:
    made = draw(name, tables(), SETTINGS, tmp_path)
    assert all(path.stat().st_size > 200 for path in (made.png, made.pdf, made.csv))
    assert len(made.alt) > 40
    assert "nan" not in (made.caption + made.alt).lower()


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in TUNERS if n != "tuned_model"])
@pytest.mark.parametrize("case", ["one seed", "bare", "all diverged", "no arm"])
def test_missing_pieces_do_not_crash(name: str, case: str, tmp_path: Path) -> None:
    found = {
        "one seed": lambda: tables(seeds=(0,)),
        "bare": lambda: tables(bare=True),
        "all diverged": lambda: tables(losses={"cdat": {1.0: math.inf}}),
        "no arm": lambda: tables(losses={"constant": {0.125: 0.0}}),
    }[case]()
    made = draw(name, found, SETTINGS, tmp_path)
    assert "nan" not in (made.caption + made.alt).lower()


def test_losses_are_those_of_the_best_rate() -> None:
    drawing = drawn(tuner_losses)
    assert "CDAT" in drawing.caption
    # σ = 2·1.03125 is the best factor of CDAT, 0.125 the best constant rate.
    assert "σ = 2.0625" in drawing.caption
    assert "η = 0.125" in drawing.caption
    plotted = drawing.plotted
    last = plotted[(plotted["panel"] == "loss") & (plotted["arm"] == "cdat")]
    final = last[last["step"] == STEPS]["value"].iloc[0]
    assert final == pytest.approx(2.0 ** (-7.0 + 0.1), rel=1e-9)


def test_a_diverged_run_counts_with_its_initial_loss_at_every_step() -> None:
    found = tables()
    one = (found.runs["arm"] == "greedy") & (found.runs["seed"] == 0)
    found.runs.loc[one, "status"] = "diverged"
    found.runs.loc[one, "final_loss"] = math.nan
    found.runs.loc[one, "initial_loss"] = 8.0
    key = found.runs.loc[one, "key"].iloc[0]
    curves = found.curves
    found.curves.loc[curves["key"] == key, "loss"] = 1e9
    plotted = drawn(tuner_losses, found).plotted
    whole = drawn(tuner_losses).plotted
    for name in ("greedy", "constant"):
        own, before = (
            p[(p["panel"] == "loss") & (p["arm"] == name)].set_index("step")["value"]
            for p in (plotted, whole)
        )
        assert own.index.equals(before.index)
        assert (own > before).all() if name == "greedy" else own.equals(before)
        assert own.max() < 8.0


def test_the_panel_at_equal_price_is_over_gradient_evaluations() -> None:
    plotted = drawn(tuner_losses).plotted
    price = plotted[plotted["panel"] == "loss over gradient_evaluations"]
    cdat = price[price["arm"] == "cdat"]
    assert cdat["x"].to_numpy(float) == pytest.approx(3.0 * cdat["step"].to_numpy(float))


def test_the_dynamics_draw_rate_times_sharpness_with_the_edge() -> None:
    drawing = drawn(tuner_dynamics)
    plotted = drawing.plotted
    product = plotted[(plotted["panel"] == "product") & (plotted["arm"] == "constant")]
    assert product["value"].iloc[0] == pytest.approx(2.0, rel=5e-3)
    dashed = [line for line in drawing.figure.axes[2].lines if line.get_linestyle() == "--"]
    assert any(np.allclose(line.get_ydata(), 2.0) for line in dashed)
    legend = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert legend == ["constant", "greedy, σ = 1", "CDAT", "edge ηλ = 2"]


def test_the_sweep_puts_sigma_and_rates_on_axes_of_their_own() -> None:
    drawing = drawn(tuner_sweep)
    plotted = drawing.plotted
    sigma = plotted[(plotted["panel"] == "σ") & (plotted["arm"] == "cdat")]
    assert sigma["x"].tolist() == [2.0, 2.0625, 2.5]
    # A diverged run is drawn at its initial loss.
    assert sigma["value"].tolist()[-1] == pytest.approx(4.0)
    assert set(plotted.loc[plotted["panel"] == "η", "arm"]) == {"constant"}
    assert plotted.loc[plotted["arm"] == "greedy", "x"].tolist() == [1.0]
    assert "2.0625 for CDAT" in drawing.caption


def test_the_sweep_draws_whole_intervals_and_marks_those_that_leave() -> None:
    steep = tables()
    spread = steep.runs["final_loss"] * np.exp(2.0 * steep.runs["seed"])
    drawing = drawn(tuner_sweep, replace(steep, runs=steep.runs.assign(final_loss=spread)))
    columns = dict.fromkeys(("value", "low", "high"), float)
    for axes, panel in zip(drawing.figure.axes, ("η", "σ"), strict=True):
        bottom, top = axes.get_ylim()
        rows = drawing.plotted[drawing.plotted["panel"] == panel].astype(columns)
        data = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
        # A setting that always diverged counts with equal losses and has an interval of length 0.
        ends = np.round([max(bar) for bar in data if len(bar) == 2], 9)
        assert set(rows["high"].clip(bottom, top).round(9)) <= set(ends)
        marks = [line.get_marker() for line in axes.lines]
        assert marks.count("^") == int((rows["high"] > top).sum())
        assert marks.count("v") == int((rows["low"] < bottom).sum()) > 0


def test_the_map_is_the_loss_over_that_of_the_batch_s_best_sigma() -> None:
    averaged = {"name": "cdat", "options": {"sigma": 2.0, "decay": 0.9}}
    runs = tuner_runs(
        {
            "raw_16": {0.5: -3.0, 1.0: math.inf},
            "cdat_16": {0.5: -3.0, 1.0: -1.0},
            "cdat_64": {0.5: -5.0, 1.0: -6.0},
            "constant": {0.5: -9.0},
        },
        tuners={"raw_16": CDAT, "cdat_16": averaged, "cdat_64": averaged},
        batches={"raw_16": 16, "cdat_16": 16},
    )
    plotted = drawn(tuner_map, Tables(runs=runs, curves=pd.DataFrame())).plotted
    found = plotted.set_index(["panel", "size", "x"])["value"].astype(float).to_dict()
    assert found == pytest.approx(
        {
            ("no averages, β = 0", 16, 1.0): 0.0,
            # It diverged, and counts with its initial loss of 4; the seeds add 0.1 to the other.
            ("no averages, β = 0", 16, 2.0): 4.9,
            ("moving averages", 16, 1.0): 0.0,
            ("moving averages", 16, 2.0): 2.0,
            ("moving averages", 64, 1.0): 1.0,
            ("moving averages", 64, 2.0): 0.0,
        }
    )


def test_a_map_without_an_arm_of_one_kind_has_no_panel_for_it() -> None:
    averaged = {"name": "cdat", "options": {"sigma": 2.0, "decay": 0.9}}
    runs = tuner_runs({"cdat": {0.5: -3.0}}, tuners={"cdat": averaged})
    figure = drawn(tuner_map, Tables(runs=runs, curves=pd.DataFrame())).figure
    assert [a.get_title() for a in figure.axes if a.get_title()] == ["moving averages"]


def test_arms_that_train_for_different_times_have_rows_and_legends_of_their_own() -> None:
    arms = {**SETTINGS.arms, "cdat": Arm("CDAT", 1.0, STEPS // 2, 5)}
    with mpl.rc_context(style.rc()):
        drawing = tuner_losses(tables(), replace(SETTINGS, arms=arms))
    axes = drawing.figure.axes
    assert [a.get_ylabel() for a in axes[::3]] == [f"{STEPS} steps", f"{STEPS // 2} steps"]
    legends = [a.get_legend() for a in axes[::3]]
    entries = [[t.get_text() for t in found.get_texts()] for found in legends if found]
    assert entries == [["constant", "greedy, σ = 1"], ["CDAT"]]
    assert set(drawing.plotted["arm"]) == set(arms)


def test_cosines_are_not_drawn_beyond_one() -> None:
    axes = drawn(tuner_dynamics).figure.axes
    assert axes[4].get_ylim()[0] >= -0.03 and axes[4].get_ylim()[1] <= 1.03
    assert axes[5].get_ylim()[0] >= -1.03 and axes[5].get_ylim()[1] <= 1.03


def test_the_greedy_step_is_compared_at_every_measured_step() -> None:
    drawing = drawn(greedy_against_on_edge)
    gaps = drawing.plotted[drawing.plotted["panel"] == "gap"]
    assert (gaps["value"].astype(float) > 0).all()
    assert f"{3 * (STEPS + 1)} of {3 * (STEPS + 1)} along CDAT" in drawing.caption


def test_the_model_shows_the_theory_beside_the_simulation() -> None:
    drawing = drawn(tuned_model)
    plotted = drawing.plotted
    excess = plotted[(plotted["panel"] == "excess y = ηλ − 2") & (plotted["arm"] == "y = −0.1")]
    assert np.allclose(excess["value"].astype(float), -0.1)
    edge = plotted[plotted["arm"] == "CDAT, σ = 2"]
    late = edge[(edge["panel"] == "sharpness λ") & (edge["step"] == 1000)]["value"].iloc[0]
    assert float(late) == pytest.approx(22.0173, abs=1e-3)


def test_more_than_nine_arms_are_told_apart() -> None:
    found = tuned.looks([f"arm{i}" for i in range(17)])
    assert len(set(found.values())) == 17


def test_sigma_is_known_of_tuners_that_have_one() -> None:
    assert tuned.sigma_of('{"tuner": {"name": "greedy", "options": {}}}') == 1.0
    assert tuned.sigma_of('{"tuner": {"name": "cdat", "options": {"sigma": 2.0}}}') == 2.0
    assert math.isnan(tuned.sigma_of("{}"))


def test_the_best_rate_counts_divergence() -> None:
    found = tables(losses={"cdat": {1.0: 1.0, 1.25: math.inf}})
    best: pd.DataFrame = tuned.best_runs(found)
    assert set(best["lr"]) == {1.0}
