"""The edge of stability in a figure: where it lies for an arm, its line and its words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrtransfer.study.evidence.edge_of_stability import edge_factor
from lrtransfer.study.figures import style
from lrtransfer.study.figures.tables import Settings, Tables

COLOR = "#B00020"


class Edge(NamedTuple):
    """The edge of stability of one curvature of one arm.

    Attributes:
        factor: The edge times η₀: 2 for plain gradient descent; NaN where it is not known.
        value: The edge; NaN where it is not known.
        beta1: Adam's first decay rate; NaN for gradient descent.
    """

    factor: float
    value: float
    beta1: float

    @property
    def text(self) -> str:
        """The edge as a fraction: "2/η₀"."""
        return f"{style.number(self.factor)}/η₀"

    @property
    def label(self) -> str:
        """The edge with its value: "2/η₀ = 0.125"; whole numbers are not rounded."""
        digits = max(3, math.ceil(math.log10(max(self.value, 1.0))))
        return f"{self.text} = {style.number(self.value, digits)}"

    @property
    def words(self) -> str:
        """The edge for a caption, with the formula where it is not plain gradient descent's."""
        if math.isnan(self.beta1):
            return self.text
        return (
            f"{self.text} of the preconditioned Hessian P⁻¹H, that is (2 + 2β₁)/((1 − β₁)η₀) with "
            f"Adam's β₁ = {style.number(self.beta1)}"
        )


def edge_of(tables: Tables, settings: Settings, arm: str, quantity: str = "sharpness") -> Edge:
    """The edge of an arm; unknown where nothing was measured, or where theory gives none.

    Args:
        tables: Where the arm's optimizer stands.
        settings: Where its reference learning rate stands.
        arm: Name of the arm.
        quantity: The curvature: "sharpness" or "preconditioned_sharpness".
    """
    runs = tables.runs[tables.runs["arm"] == arm]
    rate = settings.arms[arm].reference_learning_rate
    if runs.empty or rate is None:
        return Edge(math.nan, math.nan, math.nan)
    config = json.loads(runs["config"].iloc[0])
    factor = edge_factor(config, quantity)
    beta1 = float(config["optimizer"]["options"].get("beta1", math.nan))
    return Edge(factor, factor / rate, beta1)


def known(edges: Iterable[Edge]) -> list[Edge]:
    """The edges whose place is known."""
    return [edge for edge in edges if math.isfinite(edge.value)]


def handle(edges: Iterable[Edge]) -> list[Line2D]:
    """Legend entry for the edge of stability; none where no edge is known."""
    texts = {edge.text for edge in known(edges)}
    label = f"edge {next(iter(texts))}" if len(texts) == 1 else "edge of stability"
    return [Line2D([], [], color=COLOR, linestyle="--", label=label)] if texts else []


def phrase(edges: Iterable[Edge]) -> str:
    """The end of a caption's sentence: "dashed, the edge of stability 2/η₀"."""
    words = list(dict.fromkeys(edge.words for edge in known(edges)))
    if not words:
        return "no edge of stability is known"
    return f"dashed, the edge of stability {style.listing(words)}"


def sentence(edges: Iterable[Edge]) -> str:
    """`phrase` as a sentence of its own."""
    words = phrase(edges)
    return f"{words[0].upper()}{words[1:]}."


def line(axes: Axes, edge: Edge, *, vertical: bool = False) -> None:
    """Dashed line at the edge, labelled with its value; nothing where it is not known."""
    if not math.isfinite(edge.value):
        return
    drawn: dict[str, Any] = {"color": COLOR, "linestyle": "--", "linewidth": 1.2, "zorder": 1}
    text: dict[str, Any] = {
        "color": COLOR,
        "fontsize": 8.5,
        "textcoords": "offset points",
        "bbox": {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        "zorder": 5,
    }
    if vertical:
        axes.axvline(edge.value, **drawn)
        axes.annotate(
            edge.label, (edge.value, 0.97), xycoords=axes.get_xaxis_transform(),
            xytext=(3, 0), rotation=90, va="top", ha="left", **text,
        )  # fmt: skip
    else:
        axes.axhline(edge.value, **drawn)
        axes.annotate(
            edge.label, (0.02, edge.value), xycoords=axes.get_yaxis_transform(),
            xytext=(0, 3), va="bottom", ha="left", **text,
        )  # fmt: skip
