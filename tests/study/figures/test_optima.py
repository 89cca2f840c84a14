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


def test_optima_and_intervals_are_the_estimated_ones() -> None:
    plotted = optima(TABLES, synthetic.settings()).plotted
    drawn = plotted[plotted["panel"] == "optimum"]
    found = TABLES.shown("optimum", 0.95)
    assert list(drawn["arm"]) == list(found["arm"])
    np.testing.assert_allclose(drawn["value"], found["value"])
    np.testing.assert_allclose(drawn["low"], found["ci_low"])


def test_the_dashed_line_has_the_fitted_slope_through_the_centre_of_the_optima() -> None:
    plotted = optima(TABLES, synthetic.settings()).plotted
    line = plotted[(plotted["panel"] == "drift") & (plotted["arm"] == "ntp")]
    slope = np.diff(line["value"]) / np.diff(np.log2(line["size"].astype(float)))
    assert slope.item() == pytest.approx(0.8)
    found = TABLES.shown("optimum", 0.95, arm="ntp")
    assert line["value"].mean() == pytest.approx(found["value"].mean())


def test_an_open_interval_ends_in_an_arrow_at_the_panels_edge() -> None:
    axes = optima(TABLES, synthetic.settings()).figure.axes[0]
    arrows = [line for line in axes.lines if line.get_marker() == "v" and not line.get_clip_on()]
    assert len(arrows) == 1  # SP, size 512
    assert arrows[0].get_ydata() == [axes.get_ylim()[0]]


def test_labels_give_each_arms_drift_with_its_interval() -> None:
    axes = optima(TABLES, synthetic.settings()).figure.axes[0]
    texts = {text.get_text() for text in axes.texts}
    assert "NTP\n0.8 [0.68, 0.92]" in texts
    assert len(texts) == 3


def test_missing_optima_are_said() -> None:
    found = TABLES.estimates
    drawing = optima(replace(TABLES, estimates=found.iloc[:0]), synthetic.settings())
    assert drawing.figure.axes[0].texts[0].get_text().startswith("no optimum")
    assert "Missing: μP optimum in every width" in drawing.caption
    some = found.assign(value=found["value"].where(found["size"] != 64))
    drawing = optima(replace(TABLES, estimates=some), synthetic.settings())
    assert "Missing: μP optimum at width 64" in drawing.caption


def test_an_arm_without_optima_leaves_the_others_drawn() -> None:
    found = TABLES.estimates
    some = found[(found["statistic"] == "optimum") & (found["arm"] != "ntp")]
    drawing = optima(replace(TABLES, estimates=some), synthetic.settings())
    assert set(drawing.plotted["arm"]) == {"mup", "sp"}
    assert isinstance(drawing.plotted, pd.DataFrame)
    assert "μP\nno drift fitted" in {text.get_text() for text in drawing.figure.axes[0].texts}


@pytest.mark.parametrize("heights", [[0.1, 0.5, 0.9], [0.5] * 5, [0.1, 0.12, 0.3, 0.31, 0.32]])
def test_labels_are_kept_apart_and_near_their_heights(heights: list[float]) -> None:
    places = _apart(heights, 0.1)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(places))
    assert np.mean(places) == pytest.approx(np.mean(heights))
    assert _apart([0.1, 0.5], 0.1) == [0.1, 0.5]
