"""One step by the greedy rate against one step on the edge, along trajectories of both.

After Figure 16 of Roulet et al., "Stepping on the Edge" (2024).
"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from lrtransfer.study.figures import panels, style, tuned
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "seed", "step", "x", "value"]
_ARMS = ("greedy", "cdat")


def greedy_against_on_edge(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    runs = tables.runs[tables.runs["measured"].astype(bool)]
    curves = tuned.curves_of(tables, runs, ["loss", "one_step_greedy", "one_step_on_edge"])
    curves["gap"] = curves["one_step_on_edge"] - curves["one_step_greedy"]
    arms = [arm for arm in _ARMS if arm in settings.arms]
    figure, grid = style.grid(1, max(len(arms), 1) + 1, 3.6)
    parts, counts = [], []
    own = curves[curves["arm"].isin(arms)]
    own = own.assign(loss=own["loss"].where(own["step"] > 0))
    parts.append(tuned.line_panel(grid[0, 0], own, "loss", settings, log=True))
    grid[0, 0].set_title(panels.loss_title(tables))
    for axes, arm in zip(grid[0, 1:], arms, strict=False):
        part = curves[(curves["arm"] == arm) & curves["gap"].notna()]
        _gaps(axes, part, tuned.looks(list(settings.arms))[arm][0])
        axes.set_title(f"f(edge) − f(greedy)\nalong {settings.arms[arm].label}")
        parts.append(part.rename(columns={"gap": "value"}).assign(panel="gap", x=part["step"]))
        if len(part):
            won = int((part["gap"] > 0).sum())
            counts.append(f"{won} of {len(part)} along {settings.arms[arm].label}")
    for axes in grid[0]:
        axes.set_xlabel("step")
    found = {arm: look for arm, look in tuned.looks(list(settings.arms)).items() if arm in arms}
    style.legend(figure, tuned.handles(settings, found))
    facts = [f"The greedy step ends lower at {style.listing(counts)} steps."] if counts else []
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, panels.seeds_of(own, tables)),
        "Drawn: at measured steps, the loss after one step by 2n/d minus that after one step by "
        "n/d from the same weights, a line per seed; above zero the greedy step is the better one.",
        panels.gaps_sentence([] if counts else ["one-step losses"]),
    )
    alt = f"What one step on the edge loses to a greedy step, over training. {' '.join(facts)}"
    plotted = panels.long_form([p for p in parts if len(p)], _COLUMNS)
    return Drawing(figure, plotted, caption, alt.strip())


def _gaps(axes: Axes, part: pd.DataFrame, color: str) -> None:
    if part.empty:
        style.empty(axes, "not measured")
        return
    for _, seed in part.groupby("seed"):
        axes.plot(seed["step"], seed["gap"], color=color, lw=1.0, marker=".", ms=4, alpha=0.8)
    style.signed_log(axes, part["gap"].to_numpy(float))


DRAWN_FROM = "tuners"
FIGURE = greedy_against_on_edge
