"""Sharpness, loss and learning rate over width or depth, under Adam, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrtransfer.study.figures.consistency import consistency
from lrtransfer.study.figures.tables import Drawing, Tables
from lrtransfer.study.figures.transfer import transfer

from . import synthetic

TABLES = synthetic.tables(sizes=[32, 64], arms=["mup", "sp"], spectra=False)
SETTINGS = synthetic.settings(["mup", "sp"])


def _below_zero() -> Tables:
    runs, curves = TABLES.runs, TABLES.curves
    lower = {name: runs[name] - 10 for name in ("initial_loss", "final_loss")}
    return replace(
        TABLES, runs=runs.assign(**lower), curves=curves.assign(loss=curves["loss"] - 10)
    )


def test_losses_below_zero_are_drawn_on_a_linear_axis() -> None:
    before, drawing = transfer(TABLES, SETTINGS), transfer(_below_zero(), SETTINGS)
    for panel in ("loss", "transfer"):
        rows = drawing.plotted[drawing.plotted["panel"] == panel]
        assert len(rows) == (before.plotted["panel"] == panel).sum()
        assert (rows["value"] < 0).all()
    assert "optimum" in set(drawing.plotted["panel"])
    scales = {axes.get_yscale() for axes in drawing.figure.axes if "loss" in axes.get_title()}
    assert scales == {"linear"}
    assert "leave the panel" not in drawing.caption


def _titles(drawing: Drawing) -> list[str]:
    return [axes.get_title() for axes in drawing.figure.axes if axes.get_title()]


def test_depths_are_named_in_legend_and_caption() -> None:
    drawing = transfer(synthetic.tables(sizes=[3, 6], axis="depth", spectra=False), SETTINGS)
    labels = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert labels[:2] == ["depth 3", "depth 6"]
    assert "octaves per octave of depth" in drawing.caption
    assert "width 3" not in drawing.caption


def test_adams_sharpness_is_the_preconditioned_one_with_its_edge_in_words() -> None:
    drawing = transfer(synthetic.under_adam(TABLES), SETTINGS)
    assert _titles(drawing)[0] == "preconditioned sharpness λ(P⁻¹H)"
    edge = drawing.plotted.query("panel == 'edge' and arm == 'mup'")["value"].item()
    assert edge == pytest.approx(38.0)
    assert set(drawing.plotted["quantity"].dropna()) == {"preconditioned_sharpness"}
    assert "(2 + 2β₁)/((1 − β₁)η₀) with Adam's β₁ = 0.9" in drawing.caption
    assert "× 38/η₀" in drawing.caption


def test_an_adam_arm_beside_a_gradient_descent_arm_has_its_own_edge() -> None:
    adam = synthetic.under_adam(TABLES)
    mixed = replace(
        TABLES,
        runs=TABLES.runs.assign(
            config=np.where(TABLES.runs["arm"] == "sp", adam.runs["config"], TABLES.runs["config"])
        ),
        curves=TABLES.curves.assign(
            preconditioned_sharpness=adam.curves["preconditioned_sharpness"].where(
                TABLES.curves["key"].str.startswith("sp")
            )
        ),
    )
    drawing = transfer(mixed, SETTINGS)
    edges = drawing.plotted.query("panel == 'edge'").set_index("arm")["value"]
    assert edges.to_dict() == pytest.approx({"mup": 2.0, "sp": 38 / 0.0625})
    assert "for SP, of the preconditioned Hessian" in drawing.caption


def _unmeasured(tables: Tables) -> Tables:
    return replace(tables, runs=tables.runs.assign(measured=False))


def test_columns_that_were_not_asked_for_are_left_out() -> None:
    swept_only = transfer(_unmeasured(TABLES), SETTINGS)
    assert _titles(swept_only) == ["final training loss (nats)"]
    assert "Missing" not in swept_only.caption
    single = TABLES.runs[TABLES.runs["measured"]]
    measured_only = transfer(replace(TABLES, runs=single), SETTINGS)
    assert _titles(measured_only) == ["sharpness λ", "training loss (nats)"]


def test_an_arm_without_a_reference_rate_is_named_without_it() -> None:
    arms = {n: replace(arm, reference_learning_rate=None) for n, arm in SETTINGS.arms.items()}
    drawing = transfer(_unmeasured(TABLES), replace(SETTINGS, arms=arms))
    assert [axes.get_ylabel() for axes in drawing.figure.axes] == ["μP", "SP"]


def test_arms_with_their_own_steps_have_their_own_axes_and_words() -> None:
    arms = {**SETTINGS.arms, "sp": replace(SETTINGS.arms["sp"], steps=64, loss_window=16)}
    drawing = transfer(TABLES, replace(SETTINGS, arms=arms))
    assert "256 (μP) and 64 (SP) steps" in drawing.caption
    assert "the last 64 (μP) and 16 (SP) steps" in drawing.caption
    right = [drawing.figure.axes[place].get_xlim()[1] for place in (0, 3)]
    assert right == pytest.approx([256 * 1.15, 64 * 1.15])


def test_one_learning_rate_has_no_optimum_that_moves() -> None:
    single = TABLES.runs[TABLES.runs["measured"]]
    assert "the optimum moves" in transfer(TABLES, SETTINGS).caption
    assert "the optimum moves" not in transfer(replace(TABLES, runs=single), SETTINGS).caption


def test_every_mark_of_a_lost_run_stands_in_the_legend() -> None:
    drawing = transfer(TABLES, SETTINGS)
    labels = {text.get_text() for text in drawing.figure.legends[0].get_texts()}
    assert {"survivors", "diverged"} <= set(drawing.plotted["panel"])
    assert {"optimum, interval", "a seed diverged", "mean of the others"} <= labels


def test_a_loss_far_above_the_untrained_one_does_not_flatten_the_others() -> None:
    runs = TABLES.runs.copy()
    highest = runs["final_loss"].idxmax()
    runs.loc[highest, "final_loss"] = 1e40
    drawing = transfer(replace(TABLES, runs=runs), SETTINGS)
    assert drawing.figure.axes[2].get_ylim()[1] < 1e3
    assert "Losses above 10 times the median untrained one leave the panel." in drawing.caption
    assert "leave the panel" not in transfer(TABLES, SETTINGS).caption


def test_a_loss_that_is_not_an_entropy_has_no_unit() -> None:
    config = synthetic.run_config({"momentum": 0.0}, loss="squared")
    drawing = transfer(replace(TABLES, runs=TABLES.runs.assign(config=config)), SETTINGS)
    assert "training loss" in _titles(drawing)


def test_distances_have_a_column_per_quantity_that_was_measured() -> None:
    renamed = TABLES.curves.rename(columns={"sharpness": "preconditioned_sharpness"})
    curves = renamed.drop(columns=["ntk", "gauss_newton"])
    drawing = consistency(replace(TABLES, curves=curves), SETTINGS)
    assert _titles(drawing) == [
        "distance in sharpness λ(P⁻¹H)",
        "distance in training loss (nats)",
    ]
