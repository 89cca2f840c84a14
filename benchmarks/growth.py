"""How the cost of curvature grows with width, depth, batch and k: exponents and their figure.

Processor seconds, not prices, so that the gradient's own growth shows. Each exponent is the slope
of log seconds over log size, by least squares, with its 95 % interval from Student's t over the
sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter
from scipy import stats

from benchmarks.pricing import prepare, seconds
from benchmarks.problems import IMAGES, TOKENS, Problem, make
from lrtransfer.curvature import HessianOperator, eigenvalues
from lrtransfer.study.figures.style import OKABE_ITO, grid, rc

FIGURE = Path("docs/curvature-growth.png")
ROUNDS = 3
SIZES: dict[str, tuple[int, ...]] = {
    "width": (32, 64, 128, 256, 512),
    "depth": (2, 4, 8, 16, 32),
    "batch": (8, 16, 32, 64, 128),
    "k": (1, 2, 4, 8, 16),
}
_LABELS = {
    "width": "Width",
    "depth": "Depth (residual branches)",
    "batch": "Batch (images or sequences)",
    "k": "Eigenvalues k",
}
_QUANTITIES = ("gradient", "product", "sharpness", "top k")
_FAMILIES = {"mlp": "Residual MLP", "gpt": "GPT"}


@dataclass(frozen=True)
class _Point:
    """One network size; the middle of each axis is the same network."""

    family: str
    width: int = 64
    depth: int = 4
    batch: int = 16
    k: int = 4

    @property
    def samples(self) -> int:
        """Images of the MLP, 8 for each of `batch`; sequences of the GPT, one for every 4."""
        return 8 * self.batch if self.family == "mlp" else max(1, self.batch // 4)

    def problem(self, device: torch.device) -> Problem:
        if self.family == "mlp":
            sizes = IMAGES | {"width": self.width, "depth": self.depth}
            return make("mlp", "residual_mlp", self.samples, device, **sizes)
        sizes = TOKENS | {"block_size": 16, "width": self.width, "depth": self.depth}
        return make("gpt", "gpt", self.samples, device, **sizes)


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per family, axis and quantity, and draw the figure."""
    chosen = prepare(device)
    table = pd.DataFrame(_measurements(chosen))
    rows = []
    for (family, axis, quantity), part in table.groupby(["family", "axis", "quantity"], sort=False):
        rows.append({"network": family, "axis": axis, "quantity": quantity})
        rows[-1] |= _exponent(part)
        rows[-1]["sizes"] = part["size"].tolist()
        rows[-1]["milliseconds"] = [float(f"{v:.3g}") for v in part["milliseconds"]]
        if part["products"].notna().all():
            rows[-1]["products"] = part["products"].astype(int).tolist()
    if chosen.type == "cpu":
        draw(table, FIGURE)
    return rows


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw milliseconds over each size, one row of panels per network."""
    with mpl.rc_context(rc()):
        figure, axes = grid(len(_FAMILIES), len(SIZES), row_height=2.6)
        colors = dict(zip(_QUANTITIES, OKABE_ITO, strict=False))
        for row, (family, title) in zip(axes, _FAMILIES.items(), strict=True):
            for panel, axis in zip(row, SIZES, strict=True):
                part = table[(table["family"] == family) & (table["axis"] == axis)]
                sns.lineplot(
                    part,
                    x="size",
                    y="milliseconds",
                    hue="quantity",
                    style="quantity",
                    hue_order=_QUANTITIES,
                    style_order=_QUANTITIES,
                    palette=colors,
                    markers=True,
                    ax=panel,
                )
                panel.set(xscale="log", yscale="log", xlabel=_LABELS[axis], ylabel="")
                panel.xaxis.set_major_locator(FixedLocator(part["size"].unique()))
                panel.xaxis.set_minor_locator(NullLocator())
                panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
                if axis == "k":
                    panel.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
                    panel.yaxis.set_minor_formatter(StrMethodFormatter("{x:g}"))
                panel.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
                panel.get_legend().remove()
            handles, labels = row[0].get_legend_handles_labels()
            row[0].set_ylabel(f"{title}\nprocessor time (ms)")
        names = {
            "product": "Hessian product",
            "sharpness": "sharpness, cold",
            "top k": f"top k (k = {_Point('').k} but in the last column)",
        }
        figure.legend(
            handles,
            [names.get(label, label) for label in labels],
            loc="outside lower center",
            ncols=len(labels),
            frameon=False,
        )
        figure.savefig(path, dpi=90, metadata={"Software": None})


def _measurements(device: torch.device) -> Iterator[dict[str, Any]]:
    for family in _FAMILIES:
        for axis, sizes in SIZES.items():
            for size in sizes:
                point = replace(_Point(family), **{axis: size})
                for quantity, (milliseconds, products) in _costs(point, device).items():
                    if axis == "k" and quantity != "top k":
                        continue  # the others know nothing of k
                    yield {
                        "family": family,
                        "axis": axis,
                        "size": point.samples if axis == "batch" else size,
                        "quantity": quantity,
                        "milliseconds": milliseconds,
                        "products": products,
                    }


def _costs(point: _Point, device: torch.device) -> dict[str, tuple[float, int | None]]:
    """Return milliseconds and products of each quantity."""
    problem = point.problem(device)
    built = HessianOperator(problem.model, problem.loss, problem.batch)
    vector = torch.randn(built.dim, device=device)
    products: dict[str, int] = {}

    def solve(quantity: str, k: int) -> None:
        operator = HessianOperator(problem.model, problem.loss, problem.batch)
        products[quantity] = eigenvalues(operator, k).products

    work: dict[str, tuple[Callable[[], object], int]] = {
        "gradient": (problem.gradient, 10 * ROUNDS),
        "product": (lambda: built(vector), 10 * ROUNDS),
        "sharpness": (lambda: solve("sharpness", 1), ROUNDS),
        "top k": (lambda: solve("top k", point.k), 1),
    }
    found = {}
    for quantity, (run, rounds) in work.items():
        problem.gradient()
        spent = median(seconds(run, device) for _ in range(rounds))
        found[quantity] = (1e3 * spent, products.get(quantity))
    return found


def _exponent(part: pd.DataFrame) -> dict[str, float]:
    """Return the log-log slope and its 95 % interval."""
    fit = stats.linregress(np.log(part["size"]), np.log(part["milliseconds"]))
    half = stats.t.ppf(0.975, len(part) - 2) * fit.stderr
    return {
        "exponent": round(float(fit.slope), 2),
        "low": round(float(fit.slope - half), 2),
        "high": round(float(fit.slope + half), 2),
    }
