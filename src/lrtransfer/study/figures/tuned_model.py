"""The reduced model of the edge of stability under four rules; simulated, no run enters.

After Figures 4, 9, 10 and 11 of Roulet et al., "Stepping on the Edge" (2024), with their
constants; they do not give every start, so ours are in the caption.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from lrtransfer.study.figures import panels, style
from lrtransfer.study.figures.tables import Drawing, Settings, Tables
from lrtransfer.theory.edge_of_stability import (
    Drift,
    Trajectory,
    constant_rate,
    fixed_excess,
    sharpening_law,
    simulate,
)
from lrtransfer.theory.edge_of_stability_tuned import Start, resting_sharpness
from lrtransfer.theory.edge_of_stability_tuned import simulate_tuned as cdat

_COLUMNS = ["panel", "arm", "step", "x", "value"]
_BELOW, _SLOW = Drift(1.0, 0.5), Drift(5e-2, 1e-1)
_START = Start(rate=0.05, sharpness=18.0, energy=4.0, other_energy=4.0)
# The slow row is drawn at every tenth step.
_STRIDES = (2, 10)
_TITLES = ("rate η", "sharpness λ", "excess y = ηλ − 2", "energy p = x²")


def tuned_model(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    rows = (_classical(), _edge())
    laws = (_law(rows[0][1][1]), _rest(rows[1][0][1]))
    figure, grid = style.grid(2, 4, 2.9)
    parts, entries = [], []
    for row, (drawn, law) in enumerate(zip(rows, laws, strict=True)):
        for index, (label, path) in enumerate(drawn):
            color = style.OKABE_ITO[2 * row + index]
            entries.append(Line2D([], [], color=color, lw=2.2, label=label))
            steps = np.arange(0, len(path.rate), _STRIDES[row])
            series = (path.rate, path.sharpness, path.excess, np.maximum(path.energy, 1e-12))
            for axes, title, whole in zip(grid[row], _TITLES, series, strict=True):
                values = whole[steps]
                axes.plot(steps, values, color=color, lw=1.2)
                axes.set_title(title)
                axes.set_xlabel("step")
                part = {"panel": title, "arm": label, "step": steps, "x": steps, "value": values}
                parts.append(pd.DataFrame(part))
        grid[row, 1].plot(*law, color="#333333", lw=1.0, ls=(0, (4, 3)))
        grid[row, 2].axhline(0.0, color="#333333", lw=0.8)
        for column in (1, 3):
            style.plain_log(grid[row, column])
        if row:
            grid[row, 2].set_ylim(-0.15, 0.15)
    style.legend(figure, [*entries, Line2D([], [], color="#333333", ls="--", label="theory")])
    facts = [
        f"Below the edge λ grows like √t, to {style.number(float(rows[0][1][1].sharpness[-1]))}; "
        f"CDAT at σ = 2 heads for rest at {style.number(float(laws[1][1][-1]))}, at σ = 1.9 for "
        "none."
    ]
    caption = panels.caption(
        facts,
        "Simulated: the model of Roulet et al. (2024), §4, no run enters. Above, a constant rate "
        "(a = 0.03, b = 0.3, η = 1, x₀ = 0.1, λ₀ = 1.9, with the new x in λ's update, which keeps "
        "it bounded) and a rate that keeps y = −0.1 (a = 1, b = 0.5, x₀ = 1, λ₀ = 1.9), which "
        "stands for line search and the greedy rate. Below, CDAT with two eigenvalues (a = 0.05, "
        "b = 0.1, ν = 0.1, λ₀ = 18, η₀ = 0.05, p₀ = g₀ = 4). p is drawn no lower than 10⁻¹². "
        "Dashed: √(λ₀² + 2(2 + y)at), and the sharpness at which σ = 2 comes to rest.",
    )
    alt = f"Rate, sharpness, excess over the edge and energy of the reduced model. {facts[0]}"
    return Drawing(figure, panels.long_form(parts, _COLUMNS), caption, alt)


def _classical() -> list[tuple[str, Trajectory]]:
    constant = simulate(
        constant_rate(1.0),
        Drift(3e-2, 3e-1),
        displacement=0.1,
        sharpness=1.9,
        steps=400,
        semi_implicit=True,
    )
    below = simulate(fixed_excess(-0.1), _BELOW, displacement=1.0, sharpness=1.9, steps=400)
    return [("constant rate", constant), ("y = −0.1", below)]


def _edge() -> list[tuple[str, Trajectory]]:
    return [
        (f"CDAT, σ = {sigma:g}", cdat(sigma, _SLOW, _START, curvature=0.1, steps=4000))
        for sigma in (2.0, 1.9)
    ]


def _law(path: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(len(path.rate), dtype=np.float64)
    return steps, sharpening_law(steps, sharpness=1.9, drift=_BELOW, excess=-0.1)


def _rest(path: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(len(path.rate), dtype=np.float64)
    late = len(steps) // 2
    rest = resting_sharpness(float(path.sharpness[late]), float(path.energy[late]), _SLOW)
    return steps, np.full_like(steps, rest)


DRAWN_FROM = "tuners"
FIGURE = tuned_model
