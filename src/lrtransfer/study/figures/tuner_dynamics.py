"""Learning rate and curvature along the way, one line per tuner.

After Figures 3, 6, 12, 13 and 17 of Roulet et al., "Stepping on the Edge" (2024).
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.lines import Line2D

from lrtransfer.study.figures import edges, panels, style, tuned
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "step", "x", "value", "low", "high", "n"]
_PANELS = (
    ("rate", "learning rate η", True),
    ("edge_sharpness", "sharpness λ", True),
    ("product", "ηλ", True),
    ("objective_gradient_norm", "gradient norm", True),
    ("edge_alignment", "alignment with the top eigenvector", False),
    ("update_cosine", "cosine of successive updates", False),
)


_BOUNDS = {"edge_alignment": (0.0, 1.0), "update_cosine": (-1.0, 1.0)}
_EDGE: dict[str, Any] = {"color": edges.COLOR, "lw": 1.2, "ls": "--"}


def tuner_dynamics(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    runs = tables.runs[tables.runs["measured"].astype(bool)]
    wanted = [name for name, _, _ in _PANELS if name != "product"]
    curves = tuned.curves_of(tables, runs, wanted)
    curves["product"] = curves["rate"] * curves["edge_sharpness"]
    figure, grid = style.grid(2, 3, 3.0)
    parts = []
    for axes, (name, title, log) in zip(grid.flat, _PANELS, strict=True):
        parts.append(tuned.line_panel(axes, curves, name, settings, log=log))
        axes.set_title(title)
        axes.set_xlabel("step")
        if name in _BOUNDS:
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, _BOUNDS[name][0] - 0.03), min(high, _BOUNDS[name][1] + 0.03))
    product = grid.flat[2]
    if curves["product"].notna().any():
        product.axhline(2.0, zorder=2.5, **_EDGE)
    looks, shown = tuned.looks(list(settings.arms)), set(curves["arm"])
    drawn = {arm: look for arm, look in looks.items() if arm in shown}
    edge = Line2D([], [], label="edge ηλ = 2", **_EDGE)
    style.legend(figure, [*tuned.handles(settings, drawn), edge])
    facts = _facts(curves, settings)
    missing = [a.label for n, a in settings.arms.items() if n not in set(curves["arm"])]
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, panels.seeds_of(curves, tables)),
        "Drawn: each arm at its reference learning rate. λ is the largest eigenvalue of the "
        "Hessian of the objective, preconditioned where the optimizer is; η and the cosine are "
        "those of the update that leaves a step. Dashed: 2, the edge of stability of gradient "
        "descent and RMSProp; momentum and Adam have theirs higher.",
        panels.band_sentence(panels.seeds_of(curves, tables), settings),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(missing),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Learning rate, sharpness, their product, gradient norm and alignments of {labels}."
    plotted = panels.long_form([p for p in parts if len(p)], _COLUMNS)
    return Drawing(figure, plotted, caption, f"{alt} {' '.join(facts)}".strip())


def _facts(curves: pd.DataFrame, settings: Settings) -> list[str]:
    """Where the product lies in the second half of the run."""
    clauses = []
    for name, arm in settings.arms.items():
        part = curves[(curves["arm"] == name) & curves["product"].notna()]
        late = part[part["step"] >= part["step"].max() / 2]
        if len(late):
            clauses.append(f"{style.number(float(late['product'].mean()), 3)} for {arm.label}")
    return [f"ηλ over the second half: {', '.join(clauses)}."] if clauses else []


DRAWN_FROM = "tuners"
FIGURE = tuner_dynamics
