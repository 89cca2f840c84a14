"""Final loss over the learning rate, one panel per arm.

After Figures 1 and 6 of Kosson et al., "Weight Decay may matter more than muP for Learning Rate
Transfer in Practice" (2025).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.arm_panels import first_of_rows, frame, share_vertical
from lrtransfer.study.figures.learning_rate_panel import handles, learning_rate_panel
from lrtransfer.study.figures.tables import Drawing, Settings, Tables
from lrtransfer.transfer.size import SMALLEST

_COLUMNS = ["panel", "arm", "size", "x", "value", "low", "high", "n", "x_low", "x_high"]


def decay_transfer(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    figure, places = frame(settings.arms, 3.4)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for name, axes in places.items():
        part = learning_rate_panel(axes, tables, settings, name)
        gaps += panels.lacking_sizes(part, tables, name, f"{settings.arms[name].label} losses")
        parts.append(part)
        axes.set_ylabel("")
        axes.set_xlabel("log₂ of the learning rate η₀")
        if axes.lines and not tables.signed:
            axes.set_yscale("log")
    share_vertical(list(places.values()), logarithmic=not tables.signed)
    for axes in first_of_rows(places):
        axes.set_ylabel(f"final {panels.loss_title(tables)}")
    plotted = panels.long_form(parts, _COLUMNS)
    marks = handles(set(plotted["panel"]))
    style.legend(figure, [*style.size_handles(tables.axis, tables.sizes()), *marks])
    facts = _facts(tables, settings)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        f"Drawn: mean training loss of the {panels.last_steps(tables, settings)} at "
        "each learning rate; dots with bars, the fitted optimum and its interval (an arrow where "
        "the interval leaves the grid); crosses, learning rates at which a seed diverged.",
        panels.band_sentence(tables.seeds(), settings),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Final loss over the learning rate by {tables.axis} for {labels}."
    return Drawing(figure, plotted, caption, " ".join([alt, *facts]))


def _facts(tables: Tables, settings: Settings) -> list[str]:
    """The drift of the optimum and the regret at the largest net, per arm."""
    regret = tables.shown("regret", settings.confidence)
    smallest = SMALLEST[tables.axis] if panels.lengths_vary(tables) else "smallest net"
    sentences = []
    for name, arm in settings.arms.items():
        clauses = panels.drift_clause(tables, settings, name)
        losses = regret[(regret["arm"] == name) & np.isfinite(regret["value"].astype(float))]
        if len(losses):
            row = losses.sort_values("size").iloc[-1]
            clauses.append(
                f"the {smallest}'s optimum costs {style.estimate(row)} nats at {tables.axis} "
                f"{int(row['size'])}"
            )
        if clauses:
            sentences.append(f"{arm.label}: {'; '.join(clauses)}.")
    return sentences


DRAWN_FROM = "decay"
FIGURE = decay_transfer
