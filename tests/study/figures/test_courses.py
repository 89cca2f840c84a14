"""Quantities over training: what is drawn is the mean over seeds, size by size."""

from __future__ import annotations

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
