"""The plateaus of the batch sharpness, drawn beside it."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from lrtransfer.study.figures import style
from lrtransfer.study.figures.stochastic_edge import stochastic_edge
from lrtransfer.study.figures.tables import Drawing

from . import synthetic


def drawing(options: dict[str, float]) -> Drawing:
    tables = synthetic.tables(sizes=[32], seeds=[0, 1], arms=["ntp"], spectra=False)
    runs = tables.runs.assign(config=synthetic.run_config(options))
    with mpl.rc_context(style.rc()):
        return stochastic_edge(replace(tables, runs=runs), synthetic.settings(arms=("ntp",)))


def levels(found: Drawing) -> list[float]:
    """Return the heights of the horizontal lines."""
    lines = [np.asarray(line.get_ydata()) for line in found.figure.axes[0].lines]
    return [float(y[0]) for y in lines if len(y) == 2 and y[0] == y[1]]


def test_both_plateaus_are_drawn_and_are_in_the_csv() -> None:
    found = drawing({"momentum": 0.9})
    assert levels(found) == pytest.approx([0.2 / 16, 3.8 / 16])  # η₀ = 16
    marks = found.plotted.dropna(subset=["value"]).set_index("panel")["value"]
    assert marks["small batches"] == pytest.approx(0.2 / 16)
    assert marks["large batches"] == pytest.approx(3.8 / 16)
    curve = found.plotted[found.plotted["panel"] == "curve"]
    assert len(curve) > 5 and (curve["low"] < curve["high"]).all()


def test_nesterov_has_its_own_edge_and_no_plateau_at_small_batches() -> None:
    found = drawing({"momentum": 0.9, "nesterov": True})
    assert levels(found) == pytest.approx([3.8 / 2.8 / 16])
    assert "small batches" not in set(found.plotted["panel"])


def test_without_momentum_both_are_one() -> None:
    assert levels(drawing({})) == pytest.approx([2 / 16, 2 / 16])
