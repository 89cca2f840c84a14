"""Spectral density of the normalised Hessian at the last checkpoint, one panel per arm.

Stochastic Lanczos quadrature gives nodes and weights per probe (Ghorbani, Krishnan and Xiao,
"An Investigation into Neural Net Optimization via Hessian Eigenvalue Density", 2019); here each
node is broadened by a Gaussian and the densities are averaged over probes and seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lrtransfer.study.figures import edges, panels, style
from lrtransfer.study.figures.edges import Edge
from lrtransfer.study.figures.tables import Drawing, Settings, Tables
from lrtransfer.transfer.size import Axis

_COLUMNS = ["panel", "arm", "step", "size", "x", "value", "n", "kernel"]
_KERNEL = 0.01  # standard deviation of the Gaussian over the span of the arm's nodes
_POINTS = 400
_FLOOR = 0.1  # densities below this part of one broadened eigenvalue are not drawn


def spectral_density(tables: Tables, settings: Settings) -> Drawing:
    """Draw the figure; see the module."""
    nodes = tables.measured("spectra")
    nodes = nodes[nodes["kind"] == "density"].rename(columns={"value": "node"})
    sizes = tables.sizes()
    edge_of = {name: edges.edge_of(tables, settings, name) for name in settings.arms}
    figure, grid = style.grid(1, len(settings.arms), 3.4)
    parts: list[pd.DataFrame] = []
    gaps: list[str] = []
    for axes, (name, arm) in zip(grid[0], settings.arms.items(), strict=True):
        chosen = nodes[nodes["arm"] == name]
        chosen = chosen[chosen["step"] == chosen["step"].max()]
        parts.append(_panel(axes, chosen, edge_of[name], sizes).assign(arm=name))
        gaps += panels.lacking_sizes(chosen, tables, name, f"{arm.label} density")
        axes.set_title(panels.arm_title(arm), fontweight="bold")
        axes.set_xlabel("Hessian eigenvalue λ")
        axes.set_ylabel("")
    grid[0, 0].set_ylabel("spectral density (1/λ)")
    handles = style.size_handles(tables.axis, sizes)
    style.legend(figure, [*handles, *edges.handle(edge_of.values())])
    plotted = panels.long_form(parts, _COLUMNS)
    facts = _facts(nodes, settings, edge_of, tables.axis)
    seeds = panels.seeds_of(nodes, tables)
    caption = panels.caption(
        facts,
        panels.measured_on(tables, settings, seeds),
        "Drawn: density of the Hessian's eigenvalues in the width-free normalisation by "
        f"stochastic Lanczos quadrature ({_probes(nodes)}), mean over probes and seeds; each node "
        f"broadened by a Gaussian of {_kernels(plotted, settings)}; not drawn below {_FLOOR:g} of "
        "what one eigenvalue would give. The quadrature resolves the outer eigenvalues, not "
        "single ones in the bulk.",
        edges.sentence(edge_of.values()),
        panels.diverged_sentence(tables),
        panels.gaps_sentence(gaps),
    )
    labels = style.listing(arm.label for arm in settings.arms.values())
    alt = (
        f"Spectral density of the Hessian on a logarithmic axis, by {tables.axis}, for {labels}. "
        f"{' '.join(facts)}"
    )
    return Drawing(figure, plotted, caption, alt.strip())


def broaden(
    nodes: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    at: npt.NDArray[np.float64],
    kernel: float,
) -> npt.NDArray[np.float64]:
    """Sum of Gaussians at the quadrature nodes.

    Args:
        nodes: Positions, shape (n,).
        weights: Their masses, shape (n,); the result integrates to the sum of them.
        at: Where to evaluate, shape (p,).
        kernel: Standard deviation of the Gaussians, in units of the nodes.

    Returns:
        Density at `at`, shape (p,).
    """
    z = (at[:, None] - nodes[None, :]) / kernel
    density: npt.NDArray[np.float64] = np.exp(-0.5 * z**2) @ weights
    return density / (kernel * math.sqrt(2.0 * math.pi))


def _panel(axes: Axes, nodes: pd.DataFrame, edge: Edge, sizes: list[int]) -> pd.DataFrame:
    """Densities of one arm at its last checkpoint."""
    nodes = nodes[np.isfinite(nodes["node"].astype(float))] if len(nodes) else nodes
    if nodes.empty:
        style.empty(axes, "no spectral density")
        return pd.DataFrame(columns=_COLUMNS)
    low = float(nodes["node"].min())
    high = float(np.fmax(nodes["node"].max(), edge.value))
    span = high - low
    kernel = _KERNEL * span
    at = np.linspace(low - 0.04 * span, high + 0.04 * span, _POINTS)
    colors = style.size_colors(sizes)
    parts, tops, floors = [], [], []
    for size, part in nodes.groupby("size"):
        copies = len(part[["key", "probe"]].drop_duplicates())
        weights = part["weight"].to_numpy(dtype=np.float64) / copies
        value = broaden(part["node"].to_numpy(dtype=np.float64), weights, at, kernel)
        floor = _FLOOR / (float(part["dim"].iloc[0]) * kernel * math.sqrt(2.0 * math.pi))
        shown = np.where(value >= floor, value, np.nan)
        axes.plot(at, shown, color=colors[int(str(size))], linewidth=1.4)
        tops.append(float(value.max()))
        floors.append(floor)
        parts.append(pd.DataFrame({"panel": "density", "size": int(str(size)), "x": at,
                                   "value": shown, "n": copies}))  # fmt: skip
    axes.set_ylim(min(floors), max(tops) * 3.0)
    style.plain_log(axes)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    edges.line(axes, edge, vertical=True)
    drawn = pd.concat(parts).dropna(subset="value")
    if edges.known([edge]):
        mark = pd.DataFrame({"panel": ["edge"], "x": [edge.value]})
        drawn = pd.concat([drawn, mark], ignore_index=True)
    step = int(nodes["step"].iloc[0])
    return drawn.assign(step=step, kernel=kernel)


def _probes(nodes: pd.DataFrame) -> str:
    if nodes.empty:
        return "none stored"
    probes = int(nodes["probe"].nunique())
    count = int(nodes.groupby(["key", "step", "probe"]).size().max())
    return f"{probes} probe{'s' if probes > 1 else ''} of {count} nodes"


def _kernels(plotted: pd.DataFrame, settings: Settings) -> str:
    """The kernel's width per arm, in words."""
    words = [
        f"{style.number(float(rows['kernel'].iloc[0]), 2)} ({arm.label})"
        for name, arm in settings.arms.items()
        if len(rows := plotted[plotted["arm"] == name])
    ]
    part = f"standard deviation {100 * _KERNEL:g} % of the drawn span"
    return f"{part}, that is {style.listing(words)}" if words else part


def _facts(
    nodes: pd.DataFrame, settings: Settings, edge_of: Mapping[str, Edge], axis: Axis
) -> list[str]:
    """Where the largest node lies relative to the edge, per arm."""
    sentences = []
    for name, arm in settings.arms.items():
        rows = nodes[nodes["arm"] == name]
        edge = edge_of[name]
        if rows.empty or not edges.known([edge]):
            continue
        rows = rows[rows["step"] == rows["step"].max()]
        largest = rows.groupby(["size", "key"])["node"].max().groupby("size").mean()
        ratios = largest.astype(float) / edge.value
        low, high = (style.number(float(bound), 2) for bound in (ratios.min(), ratios.max()))
        span = low if low == high else f"{low} to {high}"
        over = f"{span} × {edge.text}" + ("" if low == high else f" over the {axis}s")
        sentences.append(
            f"{arm.label}: at step {int(rows['step'].iloc[0])} the largest node lies at {over}."
        )
    return sentences


DRAWN_FROM = "measured"
FIGURE = spectral_density
