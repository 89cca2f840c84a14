"""Quantities over training: what is drawn is the mean over seeds, size by size."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from lrtransfer.study.figures import style
from lrtransfer.study.figures.courses import courses
from lrtransfer.study.figures.tables import Drawing

from . import synthetic

SIZES, SEEDS = [32, 128], [0, 1, 2]
TABLES = synthetic.tables(sizes=SIZES, seeds=SEEDS, arms=["mup", "ntp"], spectra=False)


def drawing() -> Drawing:
    with mpl.rc_context(style.rc()):
        return courses(TABLES, synthetic.settings(arms=("mup", "ntp")))


def test_a_row_for_each_arm_and_a_column_for_each_measured_quantity() -> None:
    found = drawing()
    shown = [axes for axes in found.figure.axes if axes.lines]
    assert len(shown) == 2 * found.plotted["quantity"].nunique()
    assert {"sharpness", "subset_loss", "ntk"} <= set(found.plotted["quantity"])
    assert {axes.get_yscale() for axes in shown} == {"log"}


def test_what_is_drawn_is_the_geometric_mean_over_seeds() -> None:
    curves = TABLES.measured("curves")
    own = curves[(curves["arm"] == "ntp") & (curves["size"] == 128)]
    last = own[own["step"] == own["step"].max()]
    plotted = drawing().plotted
    row = plotted[
        (plotted["arm"] == "ntp")
        & (plotted["quantity"] == "sharpness")
        & (plotted["size"] == 128)
        & (plotted["x"] == last["step"].iloc[0])
    ]
    assert row["n"].item() == len(SEEDS)
    mean = np.exp(np.log(last["sharpness"].astype(float)).mean())
    assert row["value"].item() == pytest.approx(mean)


def test_a_line_breaks_where_a_seed_s_value_is_not_positive() -> None:
    curves = TABLES.curves.copy()
    here = curves["step"] == sorted(curves["step"].unique())[3]
    key = TABLES.runs.query("arm == 'ntp' and size == 32 and seed == 1")["key"]
    curves.loc[here & curves["key"].isin(key), "ntk"] = -1.0
    with mpl.rc_context(style.rc()):
        found = courses(replace(TABLES, curves=curves), synthetic.settings(arms=("mup", "ntp")))
    missing = found.plotted[found.plotted["value"].isna()]
    assert missing[["arm", "quantity", "size"]].to_numpy().tolist() == [["ntp", "ntk", 32]]
    assert "A line breaks where a seed's value is not positive: largest NTK" in found.caption
    assert "A line breaks" not in drawing().caption


def test_titles_of_many_panels_keep_to_their_panels() -> None:
    curves = TABLES.curves.assign(gauss_newton=1.0, trace=1.0)
    with mpl.rc_context(style.rc()):
        figure = courses(replace(TABLES, curves=curves), synthetic.settings(arms=("mup",))).figure
        figure.canvas.draw()
        boxes = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert len(boxes) > 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
