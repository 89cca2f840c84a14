"""The figure of optima draws the fits, marks what is open, and keeps its labels apart."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.figures.optima import _apart, optima

from . import synthetic

TABLES = synthetic.tables(spectra=False)


def test_optima_and_intervals_are_those_of_the_fit() -> None:
    plotted = optima(TABLES, synthetic.settings()).plotted
    drawn = plotted[plotted["panel"] == "optimum"]
    fit = TABLES.fits["optima"]
    assert list(drawn["arm"]) == list(fit["arm"])
    np.testing.assert_allclose(drawn["value"], fit["log2_lr"])
    np.testing.assert_allclose(drawn["low"], fit["ci_low"])


def test_the_dashed_line_has_the_fitted_slope_through_the_centre_of_the_optima() -> None:
    plotted = optima(TABLES, synthetic.settings()).plotted
    line = plotted[(plotted["panel"] == "drift") & (plotted["arm"] == "ntp")]
    slope = np.diff(line["value"]) / np.diff(np.log2(line["size"].astype(float)))
    assert slope.item() == pytest.approx(0.8)
    fit = TABLES.fits["optima"]
    assert line["value"].mean() == pytest.approx(fit[fit["arm"] == "ntp"]["log2_lr"].mean())


def test_an_open_interval_ends_in_an_arrow_at_the_panels_edge() -> None:
    axes = optima(TABLES, synthetic.settings()).figure.axes[0]
    arrows = [line for line in axes.lines if line.get_marker() == "v" and not line.get_clip_on()]
    assert len(arrows) == 1  # SP, size 512
    assert arrows[0].get_ydata() == [axes.get_ylim()[0]]


def test_labels_give_each_arms_drift_with_its_interval() -> None:
    axes = optima(TABLES, synthetic.settings()).figure.axes[0]
    texts = {text.get_text() for text in axes.texts}
    assert "NTP\n0.8 [0.68, 0.93]" in texts
    assert len(texts) == 3


def test_missing_fits_are_said() -> None:
    drawing = optima(replace(TABLES, fits={}), synthetic.settings())
    assert drawing.figure.axes[0].texts[0].get_text().startswith("no optimum")
    assert "Missing: μP optimum in every width" in drawing.caption
    fit = TABLES.fits["optima"]
    some = fit.assign(log2_lr=fit["log2_lr"].where(fit["size"] != 64))
    drawing = optima(replace(TABLES, fits={**TABLES.fits, "optima": some}), synthetic.settings())
    assert "Missing: μP optimum at width 64" in drawing.caption


def test_an_arm_without_optima_leaves_the_others_drawn() -> None:
    fit = TABLES.fits["optima"]
    fits = {"optima": fit[fit["arm"] != "ntp"]}
    drawing = optima(replace(TABLES, fits=fits), synthetic.settings())
    assert set(drawing.plotted["arm"]) == {"mup", "sp"}
    assert isinstance(drawing.plotted, pd.DataFrame)
    assert "μP\nno drift fitted" in {text.get_text() for text in drawing.figure.axes[0].texts}


@pytest.mark.parametrize("heights", [[0.1, 0.5, 0.9], [0.5] * 5, [0.1, 0.12, 0.3, 0.31, 0.32]])
def test_labels_are_kept_apart_and_near_their_heights(heights: list[float]) -> None:
    places = _apart(heights, 0.1)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(places))
    assert np.mean(places) == pytest.approx(np.mean(heights))
    assert _apart([0.1, 0.5], 0.1) == [0.1, 0.5]
