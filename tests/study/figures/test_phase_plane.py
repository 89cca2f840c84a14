"""The phase plane draws seed means from the first to the last step that all seeds reached."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lrtransfer.study.figures.phase_plane import phase_plane

from . import synthetic

TABLES = synthetic.tables(sizes=[32, 64], arms=["mup", "ntp"], spectra=False)
SETTINGS = synthetic.settings(["mup", "ntp"])


def test_a_curve_is_the_mean_over_seeds_at_each_step() -> None:
    plotted = phase_plane(TABLES, SETTINGS).plotted
    merged = TABLES.measured("curves").merge(TABLES.runs[["key", "arm"]], on=["key", "arm"])
    of_net = merged[(merged["arm"] == "mup") & (merged["size"] == 64)]
    path = plotted.query("panel == 'mean' and arm == 'mup' and size == 64")
    mean = of_net.groupby("step")[["gauss_newton", "hessian_residual"]].mean()
    np.testing.assert_allclose(path["x"], mean["gauss_newton"])
    np.testing.assert_allclose(path["value"], mean["hessian_residual"])


def test_axes_name_the_two_parts_once() -> None:
    axes = phase_plane(TABLES, SETTINGS).figure.axes
    assert [a.get_ylabel() for a in axes] == ["residual part λ(R)", ""]
    assert {a.get_xlabel() for a in axes} == {"Gauss-Newton part λ(G)"}


def test_start_is_open_and_end_is_filled() -> None:
    drawing = phase_plane(TABLES, SETTINGS)
    path = drawing.plotted.query("panel == 'mean' and arm == 'mup' and size == 32")
    dots = [line for line in drawing.figure.axes[0].lines if line.get_marker() == "o"]
    start, end = dots[:2]
    assert start.get_markerfacecolor() == "white"
    assert start.get_xdata() == pytest.approx([path["x"].iloc[0]])
    assert end.get_xdata() == pytest.approx([path["x"].iloc[-1]])


def test_the_edge_is_a_vertical_line_at_two_over_the_learning_rate() -> None:
    drawing = phase_plane(TABLES, SETTINGS)
    for axes, edge in zip(drawing.figure.axes, (2.0, 0.125), strict=True):
        dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert [list(np.asarray(line.get_xdata())) for line in dashed] == [[edge, edge]]


def test_a_mean_stops_where_a_seed_was_lost() -> None:
    key = (
        TABLES.measured("curves").query("arm == 'mup' and size == 32 and seed == 0")["key"].iloc[0]
    )
    cut = TABLES.curves[(TABLES.curves["key"] != key) | (TABLES.curves["step"] <= 8)]
    plotted = phase_plane(replace(TABLES, curves=cut), SETTINGS).plotted
    path = plotted.query("panel == 'mean' and arm == 'mup' and size == 32")
    assert path["step"].max() == 8


def test_what_was_not_measured_is_said() -> None:
    bare = TABLES.curves.drop(columns=["gauss_newton"])
    drawing = phase_plane(replace(TABLES, curves=bare), SETTINGS)
    assert drawing.figure.axes[0].texts[0].get_text() == "λ(G) and λ(R) not measured"
    assert "Missing: μP curve in every width" in drawing.caption
