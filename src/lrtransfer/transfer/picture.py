"""A judgement as a picture: a row per arm, its valleys, and its best rate over each size.

Matplotlib is loaded here alone, once a picture is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from lrtransfer.transfer.findings import Findings
from lrtransfer.transfer.judgement_text import bracket
from lrtransfer.transfer.laws import Law
from lrtransfer.transfer.predict import reach
from lrtransfer.transfer.roles import JudgeError
from lrtransfer.transfer.sweeps import Sweep

Array = npt.NDArray[np.float64]

_MOST_ARMS, _MOST_SIZES, _MOST_AXES = 4, 6, 3
#: Octaves of rate that a panel shows at least, so that no change looks like none.
_LEAST_OCTAVES = 4.0
# Okabe & Ito (2008): told apart under every common colour blindness.
_MEASURED, _LAW, _PREDICTED = "#000000", "#0072B2", "#D55E00"


def draw(judged: Findings, path: Path, predictions: pd.DataFrame | None) -> None:
    """Draw a judgement.

    Args:
        judged: of which; at most four arms of it.
        path: of the file.
        predictions: what `Findings.predict` gave, if they are to be shown.

    Raises:
        JudgeError: the file's ending is no format of pictures, or it cannot be written.
    """
    with mpl.rc_context(_look()):
        figure = _figure(judged, predictions)
        try:
            figure.savefig(path, dpi=160)
        except (OSError, ValueError) as error:
            raise JudgeError(f"{path} cannot be drawn: {error}") from error


def _look() -> Any:
    return {
        **sns.axes_style("ticks", {"axes.grid": True, "grid.color": "#E6E6E6"}),
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9.0,
        "axes.titlesize": 9.5,
        "legend.fontsize": 8.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,  # a label is shown as it is written, whatever dollars it has
        "savefig.facecolor": "white",
    }


def _figure(judged: Findings, predictions: pd.DataFrame | None) -> Figure:
    arms = list(judged.groups)[:_MOST_ARMS]
    varying = [a for a in judged.roles.size if len({s.sizes[a] for s in judged.swept.sweeps}) > 1]
    axes = varying[:_MOST_AXES]
    columns = 1 + len(axes)
    figure = Figure(figsize=(0.6 + 4.1 * columns, 0.4 + 3.1 * len(arms)), layout="constrained")
    panels = figure.subplots(len(arms), columns, squeeze=False)
    for arm, row in zip(arms, panels, strict=True):
        _valleys(row[0], judged, arm)
        for axis, panel in zip(axes, row[1:], strict=True):
            _over_size(panel, judged, arm, axis, predictions)
    if len(judged.groups) > len(arms):
        figure.suptitle(f"{len(arms)} of {len(judged.groups)} arms", fontsize=9)
    return figure


def _valleys(panel: Axes, judged: Findings, arm: str) -> None:
    """Draw losses over rates for a few sizes, with each best rate and its interval."""
    group = judged.groups[arm]
    shown = _spread(sorted(group, key=lambda s: tuple(s.sizes.values())), _MOST_SIZES)
    colors = mpl.colormaps["viridis"](np.linspace(0.86, 0.0, max(len(shown), 2)))
    sign = -1.0 if judged.roles.maximize else 1.0
    heights = []
    # Legend and crosses lie where the valleys are open.
    tops = np.linspace(0.02, 0.22, _MOST_SIZES)
    tops = tops if judged.roles.maximize else 1 - tops
    for sweep, color, top in zip(shown, colors, tops, strict=False):
        trained = np.where(sweep.diverged, np.nan, sweep.loss)
        means = sign * np.array([_mean(column) for column in trained.T])
        means[~sweep.usable] = np.nan
        rates = np.exp2(sweep.log2_rate)
        panel.plot(rates, means, ".-", color=color, lw=1.2, ms=4, label=_label(sweep))
        for rate in rates[_failed(sweep)]:
            panel.plot(rate, top, "x", color=color, ms=4.5, transform=panel.get_xaxis_transform())
        heights.append(means[np.isfinite(means)])
        optimum = judged.optimum_of.get(id(sweep))
        if optimum is not None:
            at, low, high = np.exp2(np.array(optimum.log2_rate.interval(judged.confidence)))
            ends = [max(low, rates[0] / 2), min(high, rates[-1] * 2)]
            panel.plot(ends, [sign * optimum.loss] * 2, "-", color=color, lw=3.5, alpha=0.45)
            panel.plot(at, sign * optimum.loss, "o", color=color, ms=6, mec="black", mew=0.8)
    _heights(panel, np.concatenate(heights), maximize=judged.roles.maximize)
    _log_axis(panel, "x")
    failed = any(_failed(sweep).any() for sweep in shown)
    panel.set(
        xlabel=f"learning rate ({judged.roles.rate})" + (", × diverged" if failed else ""),
        ylabel=judged.roles.loss,
        title=f"{_cut(arm)}: " * bool(judged.roles.arm) + "best rates, with intervals",
    )
    place: Literal["lower center", "upper center"]
    place = "lower center" if judged.roles.maximize else "upper center"
    panel.legend(loc=place, framealpha=0.85, edgecolor="none")


def _failed(sweep: Sweep) -> npt.NDArray[np.bool_]:
    """Return the rates (L,) at which most runs diverged."""
    return np.asarray(sweep.diverged.any(0) & ~sweep.usable)


def _over_size(
    panel: Axes, judged: Findings, arm: str, axis: str, predictions: pd.DataFrame | None
) -> None:
    """Draw the best rate over one size, the others held at their median by the law."""
    law = judged.law_of.get(arm)
    row = judged.drift[(judged.drift.arm == arm) & (judged.drift.axis == axis)].iloc[0]
    known = math.isfinite(row["value"])
    shown = None
    if predictions is not None:
        shown = predictions[(predictions.arm == arm) & (predictions.refused == "")]
    asked = [] if shown is None else [float(v) for v in shown[axis]]
    _log_axis(panel, "x", sorted({s.sizes[axis] for s in judged.groups[arm]}.union(asked)))
    _log_axis(panel, "y")
    panel.set(xlabel=axis, ylabel="best learning rate")
    drift = f"{row['value']:+.2f} {bracket(row['ci_low'], row['ci_high'], '+.2f')}"
    panel.set_title(
        f"{drift} octaves of rate per doubling".replace("-", "−")
        if known
        else f"{axis}: drift unknown"
    )
    if law is None:
        panel.text(0.5, 0.5, "every run diverged", ha="center", transform=panel.transAxes)
        return
    held = {a: float(np.median([s.sizes[a] for s in law.vertices.sweeps])) for a in law.axes}
    _measured(panel, judged, arm, axis, law=law, held=held)
    if axis in law.axes:
        _line(panel, judged, axis, law=law, held=held, asked=asked)
    if shown is not None and len(shown):
        at = shown.rate * np.array([_shift(law, axis, held, dict(r)) for _, r in shown.iterrows()])
        ratio = at / shown.rate
        errors = np.abs(np.array([shown.ci_low, shown.ci_high]) * np.array(ratio) - np.array(at))
        panel.errorbar(
            shown[axis], at, errors, fmt="D", ms=6, color=_PREDICTED, label="predicted", zorder=4
        )
    if len(law.axes) > 1:
        others = ", ".join(f"{a} {_short(v)}" for a, v in held.items() if a != axis)
        panel.set_ylabel(f"best learning rate at {others}")
    low, high = np.log2(panel.get_ylim())
    room = max(0.0, _LEAST_OCTAVES - (high - low)) / 2
    panel.set_ylim(2.0 ** (low - room), 2.0 ** (high + room))
    panel.legend(frameon=False)


def _measured(
    panel: Axes, judged: Findings, arm: str, axis: str, *, law: Law, held: dict[str, float]
) -> None:
    optima = judged.optima_of(arm)
    shift = np.array([_shift(law, axis, held, o.sweep.sizes) for o in optima])
    limits = np.exp2(np.array([o.log2_rate.interval(judged.confidence) for o in optima]))
    at, low, high = shift * limits.T
    x = np.array([o.sweep.sizes[axis] for o in optima])
    bottom, top = at.min() / 4, at.max() * 4
    errors = np.array([at - np.maximum(np.nan_to_num(low), bottom), np.minimum(high, top) - at])
    errors = np.nan_to_num(np.maximum(errors, 0.0))
    style = {"color": _MEASURED, "lw": 0, "elinewidth": 1.1, "ms": 4.5, "zorder": 3}
    for sides, marker, label in (
        (("inside",), "o", "measured"),
        (("low",), "v", "lowest rate tried"),
        (("high",), "^", "highest rate tried"),
        (("both",), "s", "single rate"),
    ):
        which = np.array([o.side in sides for o in optima])
        if which.any():
            panel.errorbar(
                x[which],
                at[which],
                errors[:, which],
                marker=marker,
                label=label,
                **style,  # type: ignore[arg-type]
            )


def _line(
    panel: Axes,
    judged: Findings,
    axis: str,
    *,
    law: Law,
    held: dict[str, float],
    asked: Sequence[float],
) -> None:
    """Draw the law over the sizes and as far beyond them as it answers."""
    sizes = [s.sizes[axis] for s in law.vertices.sweeps]
    beyond = max([max(sizes) * 2.0 ** min(reach(sizes), 4.0), *asked])
    first = min([min(sizes), *asked])
    inside = np.geomspace(min(sizes), max(sizes), 40)
    outside = np.geomspace(max(sizes), beyond, 40)
    for where, style, label in ((inside, "-", "law"), (outside, "--", None)):
        found = [law.at(held | {axis: float(v)}).interval(judged.confidence) for v in where]
        value, low, high = np.exp2(np.array(found)).T
        panel.plot(where, value, style, color=_LAW, lw=1.4, label=label, zorder=2)
        if np.isfinite([low, high]).all() and (low > 0).all():
            panel.fill_between(where, low, high, color=_LAW, alpha=0.15, lw=0, zorder=1)
    panel.set_xlim(first / 1.25, beyond * 1.25)


def _shift(law: Law, axis: str, held: dict[str, float], sizes: object) -> float:
    """Return by which factor the law takes a rate to the median of the other axes."""
    at = dict(sizes)  # type: ignore[call-overload]
    octaves = sum(law.terms[a].value * math.log2(held[a] / at[a]) for a in law.axes if a != axis)
    return float(2.0**octaves)


def _heights(panel: Axes, heights: Array, *, maximize: bool) -> None:
    """Show the valleys' bottoms, whatever walls they have."""
    if len(heights) == 0:
        return
    low, high = float(heights.min()), float(heights.max())
    if not maximize and low > 0 and high > 20 * low:
        panel.set_yscale("log")
        return
    middle = float(np.median(heights))
    if maximize:
        low = max(low, middle - 2 * (high - middle))
    else:
        high = min(high, middle + 2 * (middle - low))
    if high > low:
        room = 0.08 * (high - low)
        panel.set_ylim(low - room, high + room)


def _log_axis(panel: Axes, which: Literal["x", "y"], ticks: Sequence[float] = ()) -> None:
    """Scale an axis by logs, with a few plain numbers on it, at `ticks` if they are few."""
    axis = panel.xaxis if which == "x" else panel.yaxis
    (panel.set_xscale if which == "x" else panel.set_yscale)("log")
    axis.set_major_locator(
        FixedLocator(list(ticks)) if 1 < len(ticks) <= 6 else LogLocator(10, (1.0, 3.0))
    )
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator())


def _spread(items: Sequence[Sweep], n: int) -> list[Sweep]:
    places = np.unique(np.linspace(0, len(items) - 1, min(n, len(items))).round().astype(int))
    return [items[i] for i in places]


def _label(sweep: Sweep) -> str:
    return ", ".join(f"{_cut(axis)} {_short(size)}" for axis, size in sweep.sizes.items())


def _cut(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"


def _short(value: float) -> str:
    """Write a number in few signs: 0.0078, 512, 12k, 1.3B."""
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if value >= unit:
            return f"{value / (1e3 if name == 'k' else unit):.3g}{name}"
    return f"{value:.4g}"


def _mean(column: Array) -> float:
    known = column[np.isfinite(column)]
    return float(known.mean()) if len(known) else math.nan
