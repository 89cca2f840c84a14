"""Figures with one panel per arm: their frame, and curves of a measured quantity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Arm, Settings, Tables

_IN_A_ROW = 3


def frame(arms: Mapping[str, Arm], height: float = 2.9) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure and the panel of each arm, at most three in a row, titled."""
    columns = min(len(arms), _IN_A_ROW)
    rows = math.ceil(len(arms) / columns)
    figure, grid = style.grid(rows, columns, height)
    places = list(grid.flat)
    for axes in places[len(arms) :]:
        axes.set_visible(False)
    for axes, arm in zip(places, arms.values(), strict=False):
        axes.set_title(arm.label, fontweight="bold")
    return figure, dict(zip(arms, places, strict=False))


def first_of_rows(places: Mapping[str, Axes]) -> list[Axes]:
    """Return the first panel of each row of a `frame`."""
    return list(places.values())[::_IN_A_ROW]


def curve(axes: Axes, tables: Tables, settings: Settings, arm: str, quantity: str) -> pd.DataFrame:
    """Draw a positive quantity of an arm's measured runs over steps, a band per size.

    Where a seed's value is not positive the line breaks: a mean of the others would be too high.

    Returns:
        What is drawn: size, x, value, low, high, n; empty where nothing was measured.
    """
    curves = tables.measured("curves")
    curves = curves[(curves["arm"] == arm) & (curves["step"] > 0)] if len(curves) else curves
    summary = over_seeds(curves, ["size", "step"], quantity, settings.confidence, log=True)
    if len(summary):
        places = pd.MultiIndex.from_frame(curves[["size", "step"]])
        below = places[curves[quantity].to_numpy(dtype=float, na_value=np.nan) <= 0]
        broken = pd.MultiIndex.from_frame(summary[["size", "step"]]).isin(below)
        summary.loc[broken, ["value", "low", "high"]] = np.nan
    summary = summary.rename(columns={"step": "x"})
    if summary.empty:
        style.empty(axes, "not measured")
        return summary
    panels.bands(axes, summary, tables.sizes())
    axes.set_yscale("log", base=2)
    axes.set_xlabel("")
    axes.set_ylabel("")
    style.step_axis(axes, settings.arms[arm].steps)
    return summary


def share_vertical(places: Iterator[Axes] | list[Axes], *, logarithmic: bool = True) -> None:
    """Give all panels that show something the same vertical range, with plain ticks."""
    filled = [axes for axes in places if axes.lines]
    if not filled:
        return
    limits = [axes.get_ylim() for axes in filled]
    for axes in filled:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        if logarithmic:
            style.plain_log(axes)
