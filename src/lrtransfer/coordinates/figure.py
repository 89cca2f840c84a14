"""The picture of a coordinate check: sizes against width, a panel for each quantity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from lrtransfer.coordinates.sizes import QUANTITIES, Coordinates, Sizes

_TITLES = {
    "start": "size at the start",
    "own": "change by the own update",
    "change": "change in all",
}
_LABELLED = 12  # layers that a legend can hold


def draw(sizes: Sizes, widths: Sequence[int], grows: Collection[Coordinates], path: Path) -> Path:
    """Write the picture and return its path; what grows is a solid line, the rest is dashed.

    Args:
        sizes: Module and quantity -> RMS, shape (seeds, widths).
        widths: N.
        grows: What is shown to grow.
        path: A file that matplotlib can write.
    """
    layers = list(dict.fromkeys(place.module for place in sizes))
    colours = dict(zip(layers, sns.color_palette("viridis", len(layers)), strict=True))
    drawn = Figure(figsize=(12, 4), layout="constrained")
    panels = drawn.subplots(1, len(QUANTITIES), sharex=True)
    for panel, quantity in zip(panels, QUANTITIES, strict=True):
        for place, values in sizes.items():
            if place.quantity == quantity and values.any():
                sns.lineplot(
                    pd.DataFrame({"width": list(widths), "size": _mean(values)}),
                    x="width",
                    y="size",
                    ax=panel,
                    color=colours[place.module],
                    linestyle="-" if place in grows else "--",
                    marker="o",
                    label=place.module or "(model)",
                    legend=False,
                )
        panel.set_xscale("log", base=2)
        panel.set_yscale("log", base=2)
        panel.set(title=_TITLES[quantity], xlabel="width", ylabel="root mean square")
    if len(layers) <= _LABELLED:
        panels[-1].legend(fontsize="small", title="solid: grows", loc="center left")
        panels[-1].get_legend().set_bbox_to_anchor((1.0, 0.5))
    drawn.savefig(path, dpi=150)
    return path


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the geometric mean over seeds, NaN where a size is zero."""
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.exp(np.log(values).mean(0))
    return np.where(found > 0, found, np.nan)
