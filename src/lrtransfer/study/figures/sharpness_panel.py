"""A panel: sharpness over training, one curve per size, with the edge of stability."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lrtransfer.study.figures import edges, panels, style
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Settings, Tables

_FAR_ABOVE_EDGE = 8.0  # beyond this multiple of the edge a linear axis would flatten the rest


def sharpness_panel(
    axes: Axes, tables: Tables, settings: Settings, name: str, *, quantity: str, edge: Edge
) -> pd.DataFrame:
    """Draw an arm's sharpness with its edge; logarithmic where some net starts far above it.

    Args:
        axes: Where to draw.
        tables: The experiment's tables.
        settings: The experiment's settings.
        name: The arm.
        quantity: Column of the curvature.
        edge: Its edge of stability.

    Returns:
        What is drawn: panel (sharpness, edge), arm, quantity, size, x (step), value, low, high, n.
    """
    curves = tables.measured("curves")
    curves = curves[curves["arm"] == name]
    by = ["arm", "size", "step"]
    summary = over_seeds(curves, by, quantity, settings.confidence)
    tall = len(summary) > 0 and summary["value"].max() > _FAR_ABOVE_EDGE * edge.value
    log = bool(tall and (summary["value"] > 0).all())
    if log:
        summary = over_seeds(curves, by, quantity, settings.confidence, log=True)
    summary = summary.rename(columns={"step": "x"})
    if summary.empty:
        style.empty(axes, "sharpness not measured")
        return summary
    panels.bands(axes, summary, tables.sizes())
    if log:
        style.plain_log(axes)
    else:
        low = min(0.0, float(summary["value"].min()))
        high = float(np.fmax(edge.value, summary["value"].max()))
        axes.set_ylim(low - 0.03 * (high - low), high + 0.22 * (high - low))
    edges.line(axes, edge)
    style.step_axis(axes, settings.arms[name].steps)
    summary = summary.assign(panel="sharpness", quantity=quantity)
    if not edges.known([edge]):
        return summary
    mark = pd.DataFrame({"panel": ["edge"], "arm": [name], "value": [edge.value]})
    return pd.concat([summary, mark], ignore_index=True)
