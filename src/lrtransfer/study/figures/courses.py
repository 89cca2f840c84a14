"""What is compared over sizes, over training: a row per arm, a column per quantity.

After Figures 23, 25 and 27 of Noci et al., "Super Consistency of Neural Network Landscapes and
Learning Rate Transfer" (2024): the Hessian's trace, the NTK, the directional sharpness.
"""

from __future__ import annotations

from textwrap import fill

import pandas as pd

from lrtransfer.study.figures import arm_panels, panels, style
from lrtransfer.study.figures.consistency import QUANTITIES
from lrtransfer.study.figures.summary import spread
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_NARROW = 16  # characters above a panel where there are many
_COLUMNS = ["panel", "arm", "quantity", "size", "x", "value", "low", "high", "n"]


def courses(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    measured = tables.measured("curves")
    titles = {name: title for name, title in QUANTITIES.items() if name in measured}
    titles = titles or {"sharpness": QUANTITIES["sharpness"]}
    figure, grid = style.grid(len(settings.arms), len(titles), 2.75)
    parts, gaps, facts = [], [], []
    for row, (name, arm) in zip(grid, settings.arms.items(), strict=True):
        for axes, (quantity, title) in zip(row, titles.items(), strict=True):
            part = arm_panels.curve(axes, tables, settings, name, quantity)
            parts.append(part.assign(panel="curve", arm=name, quantity=quantity))
            gaps += panels.lacking_sizes(parts[-1], tables, name, f"{arm.label} {title}")
        style.row_title(row[0], panels.arm_title(arm))
        facts += _fact(parts[-len(titles) :], titles, arm.label, tables.axis)
    for quantity, column in zip(titles, grid.T, strict=True):
        arm_panels.share_vertical(list(column))
        head = panels.loss_title(tables) if quantity == "subset_loss" else titles[quantity]
        narrow = len(titles) > 3
        column[0].set_title(fill(head, _NARROW) if narrow else head, fontweight="bold")
        column[-1].set_xlabel("training step")
    style.legend(figure, style.size_handles(tables.axis, tables.sizes()))
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: what is measured at each arm's reference learning rate η₀, curvatures in the "
        "width-free normalisation, on a scale of its own for each column.",
        panels.band_sentence(tables.seeds(), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
        _breaks(parts, titles),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    shown = style.listing(titles.values())
    alt = f"Line charts over training by {tables.axis} of {shown}: {labels}."
    return Drawing(figure, panels.long_form(parts, _COLUMNS), caption, " ".join([alt, *facts]))


def _fact(parts: list[pd.DataFrame], titles: dict[str, str], label: str, axis: str) -> list[str]:
    """How far the sizes are apart at an arm's last step, quantity by quantity."""
    clauses = []
    for part, title in zip(parts, titles.values(), strict=True):
        last = part[part["x"] == part["x"].max()] if len(part) else part
        if len(last) > 1:
            clauses.append(f"{style.number(spread(last['value']), 3)} ({title})")
    if not clauses:
        return []
    return [f"{label}: largest over smallest {axis} mean at the end: {style.listing(clauses)}."]


def _breaks(parts: list[pd.DataFrame], titles: dict[str, str]) -> str:
    """Say why lines break, where they do."""
    drawn = pd.concat(parts)
    broken = [titles[q] for q in titles if drawn.loc[drawn["quantity"] == q, "value"].isna().any()]
    if not broken:
        return ""
    return f"A line breaks where a seed's value is not positive: {style.listing(broken)}."


DRAWN_FROM = "measured"
FIGURE = courses
