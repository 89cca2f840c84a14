"""Loss and learning rate of every tuner at its best setting, per step and per price.

After Figures 1, 2, 5, 8, 13, 14 and 19 of Roulet et al., "Stepping on the Edge" (2024); the panel
at equal price is ours.
"""

from __future__ import annotations

import math

import pandas as pd

from lrtransfer.figures import panels, style, tuned
from lrtransfer.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "step", "x", "value", "low", "high", "n"]


def tuner_losses(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    best = tuned.best_runs(tables)
    columns = ["loss", "rate", "gradient_evaluations"]
    curves = tuned.curves_of(tables, best, columns)
    figure, grid = style.grid(1, 3, 3.6)
    loss, price, rate = grid[0]
    later = curves[curves["step"] > 0]
    parts = [
        tuned.line_panel(loss, later, "loss", settings, log=True),
        tuned.line_panel(price, later, "loss", settings, log=True, x="gradient_evaluations"),
        tuned.line_panel(rate, curves, "rate", settings, log=True),
    ]
    for axes, title, place in (
        (loss, panels.loss_title(tables), "step"),
        (price, f"{panels.loss_title(tables)}, equal price", "gradient evaluations"),
        (rate, "learning rate η", "step"),
    ):
        axes.set_title(title)
        axes.set_xlabel(place)
    drawn = tuned.looks(list(settings.arms))
    style.legend(figure, tuned.handles(settings, drawn))
    facts = _facts(best, settings)
    missing = [arm.label for name, arm in settings.arms.items() if name not in set(best["arm"])]
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        f"Drawn: each arm at its best learning rate, {tables.axis} {max(tables.sizes())}; a point "
        "is the mean since the point before it. A diverged run counts with its initial loss. The "
        "price of a step is counted in gradients of its batch: a forward pass is a third, a "
        "product with the Hessian two.",
        panels.band_sentence(tables.seeds(), settings),
        panels.gaps_sentence(missing),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Training loss over steps and over price, and learning rate, of {labels}."
    plotted = panels.long_form([p for p in parts if len(p)], _COLUMNS)
    return Drawing(figure, plotted, caption, f"{alt} {' '.join(facts)}".strip())


def _facts(best: pd.DataFrame, settings: Settings) -> list[str]:
    """The final losses, lowest first."""
    found = []
    for name, runs in best.groupby("arm"):
        if str(name) not in settings.arms:
            continue
        loss = float(tuned.counted_loss(runs).median())
        rate, sigma = float(runs["lr"].iloc[0]), tuned.sigma_of(str(runs["config"].iloc[0]))
        edge = f"σ = {style.number(sigma * rate, 5)}"
        where = _factor(runs, rate) if math.isnan(sigma) else edge
        found.append((loss, f"{settings.arms[str(name)].label} {style.number(loss, 2)} ({where})"))
    if not found:
        return []
    return [f"Median final losses: {', '.join(text for _, text in sorted(found))}."]


def _factor(runs: pd.DataFrame, rate: float) -> str:
    name = tuned.tuner_of(str(runs["config"].iloc[0])).get("name")
    sign = "η" if name in (None, "constant") else "factor"
    return f"{sign} = {style.number(rate, 4)}"


FIGURE = tuner_losses
