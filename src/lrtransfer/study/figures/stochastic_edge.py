"""Batch sharpness over training, one panel per arm, with its plateaus under momentum.

After Andreyev et al. (2026, 2604.14108): 2(1 − β)/η for small batches, 2(1 + β)/η for large ones.
"""

from __future__ import annotations

import json
import math

import pandas as pd

from lrtransfer.study.evidence.edge_of_stability import BATCH, stochastic_edges
from lrtransfer.study.figures import arm_panels, edges, panels, style
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "size", "x", "value", "low", "high", "n"]
_PLATEAUS = ("small batches", "large batches")


def stochastic_edge(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    figure, places = arm_panels.frame(settings.arms)
    parts, facts, missing = [], [], []
    for name, axes in places.items():
        drawn = arm_panels.curve(axes, tables, settings, name, BATCH)
        if drawn.empty:
            missing.append(f"{settings.arms[name].label} batch sharpness")
            continue
        parts.append(drawn.assign(panel="curve", arm=name))
        for plateau, edge in zip(_PLATEAUS, _plateaus(tables, settings, name), strict=True):
            edges.line(axes, edge)
            mark = {"panel": [plateau], "arm": [name], "value": [edge.value]}
            parts.append(pd.DataFrame(mark).dropna())
        style.plain_log(axes)
        axes.set_xlabel("training step")
        facts += _fact(tables, settings, name)
    for axes in arm_panels.first_of_rows(places):
        style.row_title(axes, "batch sharpness")
    style.legend(figure, style.size_handles(tables.axis, tables.sizes()))
    caption = panels.caption(
        [f"{'; '.join(facts)}."] if facts else [],
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: E[g·H g/‖g‖²] over mini-batches of the run's size, at each arm's reference "
        "learning rate η₀. Dashed: 2(1 − β)/η₀, where small batches rest under heavy-ball momentum "
        "β, and the full batch's edge.",
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(missing),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Batch sharpness over training of {labels}."
    return Drawing(figure, panels.long_form(parts, _COLUMNS), caption, " ".join([alt, *facts]))


def _plateaus(tables: Tables, settings: Settings, arm: str) -> tuple[Edge, Edge]:
    """Return both plateaus of an arm; unknown where no source gives one."""
    config = tables.runs.loc[tables.runs["arm"] == arm, "config"].iloc[0]
    rate = settings.arms[arm].reference_learning_rate or math.nan
    small, large = (Edge(f, f / rate, math.nan) for f in stochastic_edges(json.loads(config)))
    return small, large


def _fact(tables: Tables, settings: Settings, arm: str) -> list[str]:
    """Where the batch sharpness of the largest size is at the last measured step."""
    found = tables.shown("stochastic_edge_ratio", settings.confidence, arm=arm)
    found = found[found["size"] == max(tables.sizes())]
    if found.empty:
        return []
    last = found.iloc[found["at"].astype(float).argmax()]
    return [f"{settings.arms[arm].label}: {style.estimate(last)} of 2(1 − β)/η₀ at the end"]


DRAWN_FROM = "measured"
FIGURE = stochastic_edge
