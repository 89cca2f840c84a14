"""The explanations' pictures, drawn by the package itself: python docs/pictures.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from torch import nn

import lrtransfer as lt
from lrtransfer.theory.edge_of_stability import Drift, constant_rate, fixed_excess, simulate
from lrtransfer.theory.edge_of_stability_tuned import Start, simulate_tuned

FOLDER = Path(__file__).parent / "pictures"
BENCHMARK = Path(__file__).parents[1] / "results/benchmarks/training.json"
LAYERS = {"0": "input layer", "2": "hidden layer", "4": "output"}
COLOURS = dict(zip(LAYERS, sns.color_palette("colorblind"), strict=False))


def network(width: int) -> nn.Module:
    """Return a network of two hidden layers."""
    return nn.Sequential(
        nn.Linear(10, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 5)
    )


def coordinates(path: Path) -> None:
    """Draw how far three steps of one learning rate move what each layer computes, by width."""
    widths = [32, 64, 128, 256, 512]
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, (rule, title) in zip(panels, {"sp": "SP", "mup": "μP"}.items(), strict=True):
        check = lt.coordinate_check(network, widths=widths, rule=rule)
        for place, sizes in check.sizes.items():
            if place.quantity == "change" and place.module in LAYERS:
                mean = np.exp(np.log(sizes).mean(0))
                label, marker = LAYERS[place.module], "osD"[list(LAYERS).index(place.module)]
                panel.plot(widths, mean, marker=marker, color=COLOURS[place.module], label=label)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log", base=2)
        panel.set(title=title, xlabel="width", xticks=widths)
        panel.set_xticklabels(widths)
    panels[0].set_ylabel("change after three steps\n(root mean square)")
    panels[1].legend(frameon=False)
    figure.savefig(path, dpi=130)


def edge(path: Path) -> None:
    """Draw steps on a parabola, and three rules of the reduced model at the edge of stability."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    w = np.linspace(-1.3, 1.3, 200)
    left.plot(w, w**2 / 2, color="0.6", zorder=0)
    for product, marker, colour in zip(
        (0.6, 1.9, 2.15), "osD", sns.color_palette("colorblind"), strict=False
    ):
        at = [0.75 if product > 2 else 1.0]
        for _ in range(4):
            at.append((1 - product) * at[-1])
        points = np.array(at)
        left.plot(points, points**2 / 2, marker=marker, color=colour, label=f"ηλ = {product}")
    left.set(title="four steps on ½λw²", xlabel="w", ylabel="loss", yticks=[])
    left.set_ylim(top=1.05)
    left.legend(frameon=False, loc="upper center", ncols=3, columnspacing=1.0)
    drift, rate, energy, steps = Drift(1.0, 1.0), 0.05, 1.0, 1500
    start = Start(rate, sharpness=38.0, energy=energy, other_energy=energy)
    told = {"displacement": energy**0.5, "sharpness": 38.0, "steps": steps}
    paths = {
        "constant rate": simulate(constant_rate(rate), drift, **told, semi_implicit=True),
        "kept below the edge": simulate(fixed_excess(-0.1), drift, **told),
        "CDAT, σ = 2": simulate_tuned(2.0, drift, start, curvature=0.1, steps=steps),
    }
    styles = zip(paths.items(), ("-", "--", ":"), sns.color_palette("colorblind"), strict=False)
    for (label, found), style, colour in styles:
        right.plot(found.sharpness, style, color=colour, label=label)
    right.axhline(2 / rate, color="0.4", linewidth=0.8)
    right.annotate(
        "2/η of the constant rate",
        (0, 2 / rate),
        xytext=(100, -22),
        textcoords="offset points",
        fontsize="small",
    )
    right.set(title="sharpness, reduced model", xlabel="step", ylabel="λ", ylim=(30, None))
    right.legend(frameon=False)
    figure.savefig(path, dpi=130)


def text_memory(path: Path) -> None:
    """Draw the peak memory of preparing a text over its size, as measured."""
    rows = json.loads(BENCHMARK.read_text(encoding="utf-8"))["rows"]
    texts = [row for row in rows if row["what"] == "text"]
    figure = Figure(figsize=(5, 3), layout="constrained")
    panel = figure.subplots()
    for tokens, marker in {"bytes": "o", "bpe": "s"}.items():
        own = sorted((r["megabytes"], r["peak_mb"]) for r in texts if r["tokens"] == tokens)
        panel.plot(*zip(*own, strict=True), marker=marker, label=tokens)
    panel.axhline(1000, color="0.4", linewidth=0.8)
    panel.annotate("limit", (10, 1000), xytext=(0, -12), textcoords="offset points")
    panel.set(xscale="log", xlabel="text (MB)", ylabel="peak memory (MB)", ylim=(0, 1100))
    panel.legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    coordinates(FOLDER / "coordinates.png")
    edge(FOLDER / "edge.png")
    text_memory(FOLDER / "text-memory.png")
