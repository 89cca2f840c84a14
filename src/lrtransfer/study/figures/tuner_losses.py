"""Loss and learning rate of every tuner at its best setting, per step and per price.

After Figures 1, 2, 5, 8, 13, 14 and 19 of Roulet et al., "Stepping on the Edge" (2024); the panel
at equal price is ours.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes

from lrtransfer.study.evidence.final_losses import counted_loss
from lrtransfer.study.figures import panels, style, tuned
from lrtransfer.study.figures.tables import Arm, Drawing, Settings, Tables

_COLUMNS = ["panel", "arm", "step", "x", "value", "low", "high", "n"]


def tuner_losses(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; arms that train for different times have rows of their own."""
    best = tuned.best_runs(tables)
    columns = ["loss", "rate", "gradient_evaluations"]
    curves = _counted(tuned.curves_of(tables, best, columns), best)
    lengths = _by_length(settings)
    figure, grid = style.grid(len(lengths), 3, 3.6)
    parts = []
    for row, (steps, arms) in zip(grid, lengths.items(), strict=True):
        chosen = replace(settings, arms=arms)
        parts += _row(row, curves[curves["arm"].isin(arms)], chosen)
        entries = tuned.handles(chosen, tuned.looks(list(arms)))
        if len(lengths) == 1:
            style.legend(figure, entries)
        else:
            style.row_title(row[0], f"{steps} steps")
            _make_room(row[:2], len(entries))
            row[0].legend(handles=entries, loc="upper right", fontsize=8, framealpha=0.8)
    loss = panels.loss_title(tables)
    for axes, title in zip(grid[0], (loss, f"{loss}, equal price", "learning rate η"), strict=True):
        axes.set_title(title)
    for axes, place in zip(grid[-1], ("step", "gradient evaluations", "step"), strict=True):
        axes.set_xlabel(place)
    facts = _facts(best, settings)
    missing = [arm.label for name, arm in settings.arms.items() if name not in set(best["arm"])]
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        f"Drawn: each arm at its best learning rate, {tables.axis} {max(tables.sizes())}; a point "
        "is the mean since the point before it. A diverged run counts with its initial loss, at "
        "every step. The price of a step is counted in gradients of its batch: a forward pass is a "
        "third, a product with the Hessian two.",
        panels.band_sentence(tables.seeds(), settings),
        panels.gaps_sentence(missing),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = f"Training loss over steps and over price, and learning rate, of {labels}."
    plotted = panels.long_form([p for p in parts if len(p)], _COLUMNS)
    return Drawing(figure, plotted, caption, f"{alt} {' '.join(facts)}".strip())


def _counted(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the curves, a diverged run's at its initial loss where the arm's others have rows."""
    failed = runs[counted_loss(runs) != runs["final_loss"]]
    gone = curves.set_index(["arm", "seed"]).index.isin(failed.set_index(["arm", "seed"]).index)
    others = curves[~gone]
    steps = others[["arm", "step"]].drop_duplicates()
    flat = failed[["arm", "seed", "initial_loss"]].merge(steps, on="arm")
    own = flat.rename(columns={"initial_loss": "loss"}).reindex(columns=curves.columns)
    return pd.concat([others, own]) if len(own) else others


def _by_length(settings: Settings) -> dict[int, dict[str, Arm]]:
    """Return the arms by their number of steps, longest first."""
    lengths = sorted({arm.steps for arm in settings.arms.values()}, reverse=True)
    arms = settings.arms.items()
    return {steps: {n: arm for n, arm in arms if arm.steps == steps} for steps in lengths}


def _make_room(places: list[Axes], entries: int) -> None:
    """Give panels of losses one vertical range with room for a legend above the curves."""
    limits = [axes.get_ylim() for axes in places if axes.lines]
    if not limits:
        return
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for axes in places:
        axes.set_ylim(low, high * (high / low) ** (0.075 * entries))
        style.plain_log(axes)


def _row(row: list[Axes], curves: pd.DataFrame, settings: Settings) -> list[pd.DataFrame]:
    """Draw loss per step, loss per price and learning rate of some arms."""
    loss, price, rate = row
    later = curves[curves["step"] > 0]
    return [
        tuned.line_panel(loss, later, "loss", settings, log=True),
        tuned.line_panel(price, later, "loss", settings, log=True, x="gradient_evaluations"),
        tuned.line_panel(rate, curves, "rate", settings, log=True),
    ]


def _facts(best: pd.DataFrame, settings: Settings) -> list[str]:
    """The final losses, lowest first."""
    found = []
    for name, runs in best.groupby("arm"):
        if str(name) not in settings.arms:
            continue
        loss = float(counted_loss(runs).median())
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


DRAWN_FROM = "tuners"
FIGURE = tuner_losses
