"""Final loss over σ and batch size as a map, with and without moving averages.

After Figure 7 of Roulet et al., "Stepping on the Edge" (2024).
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from lrtransfer.study.evidence.final_losses import counted_loss
from lrtransfer.study.figures import panels, style, tuned
from lrtransfer.study.figures.summary import over_seeds
from lrtransfer.study.figures.tables import Drawing, Settings, Tables

_COLUMNS = ["panel", "size", "x", "value", "low", "high", "n"]
_PANELS = {False: "no averages, β = 0", True: "moving averages"}
_WORST = 4.0  # octaves above the batch's best; more has the last colour


def tuner_map(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    found = _above_best(tables.runs, settings.confidence)
    parts: dict[str, pd.DataFrame] = {}
    if len(found):
        parts = {_PANELS[bool(averaged)]: part for averaged, part in found.groupby("averaged")}
    figure, grid = style.grid(1, max(1, len(parts)), 3.4)
    facts, shown = [], []
    if not parts:
        style.empty(grid[0, 0], "no arm of CDAT")
    for axes, (title, part) in zip(grid[0], parts.items(), strict=False):
        axes.set_title(title, fontweight="bold")
        _map(axes, part)
        best = part.loc[part.groupby("size")["value"].idxmin()]
        pairs = zip(best["x"].astype(float), best["size"], strict=True)
        clauses = [f"{style.number(sigma, 4)} at {batch}" for sigma, batch in pairs]
        facts.append(f"Best σ by batch, {title}: {style.listing(clauses)}.")
        shown.append(part.assign(panel=title))
    grid[0, 0].set_ylabel("batch size (samples)")
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, tables.seeds()),
        "Drawn: log₂ of the final loss over that of the batch's best σ, means over seeds of log "
        "losses; σ = 2 is the edge of stability. A diverged run counts with its initial loss.",
    )
    alt = f"Heat maps of the final loss of CDAT over σ and batch size. {' '.join(facts)}"
    return Drawing(figure, panels.long_form(shown, _COLUMNS), caption, alt.strip())


def _above_best(runs: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return averaged, size (the batch), x (σ), n; value, low, high: octaves above the best σ's."""
    tuner = runs["config"].map(tuned.tuner_of)
    runs = runs.assign(
        x=runs["config"].map(tuned.sigma_of) * runs["lr"],
        size=[json.loads(config)["batch_size"] for config in runs["config"]],
        averaged=[bool((found.get("options") or {}).get("decay")) for found in tuner],
        counted=counted_loss(runs).clip(lower=1e-300),
    )
    runs = runs[[found.get("name") == "cdat" for found in tuner]]
    found = over_seeds(runs, ["averaged", "size", "x"], "counted", confidence, log=True)
    if found.empty:
        return found
    lowest = found.groupby(["averaged", "size"])["value"].transform("min")
    for column in ("value", "low", "high"):
        found[column] = np.log2(found[column].astype(float) / lowest)
    return found


def _map(axes: Axes, part: pd.DataFrame) -> None:
    table = part.pivot(index="size", columns="x", values="value").sort_index(ascending=False)
    table = table.rename(columns=lambda sigma: style.number(float(sigma), 4))
    label = "octaves above the best"
    sns.heatmap(
        table, ax=axes, vmin=0.0, vmax=_WORST, cmap="viridis_r", annot=True, fmt=".1f",
        cbar_kws={"label": label, "extend": "max"},
    )  # fmt: skip
    axes.set_xlabel("σ, in units of the greedy rate")
    axes.set_ylabel("")
    axes.tick_params(axis="y", rotation=0)


DRAWN_FROM = "tuners"
FIGURE = tuner_map
