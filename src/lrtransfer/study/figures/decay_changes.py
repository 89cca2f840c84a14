"""Relative change of the representations over training, one panel per arm.

After Figure 3 of Kosson et al., "Weight Decay may matter more than muP for Learning Rate Transfer
in Practice" (2025).
"""

from __future__ import annotations

import pandas as pd

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.arm_panels import curve, frame, share_vertical
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_QUANTITY = "relative_change_without_decay"
_COLUMNS = ["panel", "arm", "quantity", "size", "x", "value", "low", "high", "n"]


def decay_changes(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    figure, places = frame(settings.arms)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for name, axes in places.items():
        part = curve(axes, tables, settings, name, _QUANTITY)
        part = part.assign(panel="mean", arm=name, quantity=_QUANTITY)
        gaps += panels.lacking_sizes(part, tables, name, f"{settings.arms[name].label} curve")
        parts.append(part)
        axes.set_xlabel("training step")
        place = axes.get_subplotspec()
        if place is not None and place.is_first_col():
            axes.set_ylabel("change ‖ΔWX‖/‖WX‖")
    share_vertical(list(places.values()))
    style.legend(figure, style.size_handles(tables.axis, tables.sizes()))
    plotted = panels.long_form(parts, _COLUMNS)
    facts = _facts(tables, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: the relative representation change ‖ΔWX‖/‖WX‖ of single updates, weight decay "
        "taken out, geometric mean over the hidden weights.",
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Relative representation change over training by {tables.axis} for {labels}."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _facts(tables: Tables, settings: Settings) -> list[str]:
    """The late slope over sizes and the final loss against the first arm, per arm."""
    slopes = tables.shown("slope", settings.confidence, quantity=_QUANTITY, at="late")
    gaps = tables.shown("difference", settings.confidence, quantity="final_loss")
    sentences = []
    for name, arm in settings.arms.items():
        rows = slopes[slopes["arm"] == name].dropna(subset=["value"]).to_dict("records")
        clauses = [f"late changes grow as {tables.axis}^{style.estimate(row)}" for row in rows]
        losses = gaps[gaps["arm"] == name]
        if len(losses):
            widest = losses.sort_values("size").iloc[-1]
            clauses.append(
                f"final loss {style.number(float(widest['value']), 2)} nats from the first "
                f"arm's at {tables.axis} {int(widest['size'])}"
            )
        if clauses:
            sentences.append(f"{arm.label}: {'; '.join(clauses)}.")
    return sentences


DRAWN_FROM = "decay"
FIGURE = decay_changes
