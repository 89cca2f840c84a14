"""Pieces that several figures draw: seed means with bands, and sentences for captions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes

from lrtransfer.study.figures import style
from lrtransfer.study.figures.tables import Arm, Settings, Tables
from lrtransfer.transfer.size import PLURAL

_MARKERS = "osD^vh<>pd8PX"


def lines(axes: Axes, summary: pd.DataFrame, sizes: list[int], **look: Any) -> None:
    """One line per size.

    Args:
        axes: Where to draw.
        summary: Columns size, x, value.
        sizes: All sizes of the figure, which fix the colours.
        **look: As `seaborn.lineplot` names it; `units="seed"` gives each seed its own line.
    """
    if summary.empty:
        return
    import seaborn as sns  # as in `style`

    sns.lineplot(
        data=summary,
        x="x",
        y="value",
        hue="size",
        palette=style.size_colors(sizes),
        estimator=None,
        legend=False,
        ax=axes,
        **{"zorder": 3, **look},
    )


def bands(axes: Axes, summary: pd.DataFrame, sizes: list[int]) -> None:
    """One line per size with its interval as a band; arguments as `lines`.

    `summary` has the columns low and high besides; a NaN interval draws no band.
    """
    lines(axes, summary, sizes)
    colors = style.size_colors(sizes)
    for size, part in summary.groupby("size"):
        axes.fill_between(
            part["x"].to_numpy(dtype=float),
            part["low"].to_numpy(dtype=float),
            part["high"].to_numpy(dtype=float),
            color=colors[int(str(size))],
            alpha=style.BAND_ALPHA,
            linewidth=0,
            zorder=2,
        )


def caption(facts: list[str], *method: str) -> str:
    """A caption of two paragraphs, one a line: what the data show, and how it was measured."""
    paragraphs = (" ".join(facts), " ".join(sentence for sentence in method if sentence))
    return "\n".join(paragraph for paragraph in paragraphs if paragraph)


def long_form(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """What the panels of a figure drew, as one table with whole numbers as such."""
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
    table = table.reindex(columns=columns)
    whole = {"size", "step", "rank", "n"}
    text = {"panel", "arm", "operator", "quantity"}
    kinds = {name: "Int64" if name in whole else "float64" for name in columns if name not in text}
    return table.astype(kinds)


def measured_on(tables: Tables, settings: Settings, seeds: int) -> str:
    """The sentence that says what was trained; `seeds` counts those behind this figure."""
    sizes = tables.sizes()
    what = f"{settings.description}; " if settings.description else ""
    steps = per_arm(settings, "steps")
    if lengths_vary(tables):
        steps = f"{tables.runs['steps'].min()} to {tables.runs['steps'].max()}"
    return (
        f"Measured: {what}{PLURAL[tables.axis] if len(sizes) > 1 else tables.axis} "
        f"{style.listing(sizes)}, {seeds} seed{'s' if seeds != 1 else ''}, {steps} steps, "
        f"scale “{settings.scale}”."
    )


def last_steps(tables: Tables, settings: Settings) -> str:
    """Over which steps a final loss is the mean, in words."""
    if not lengths_vary(tables):
        return f"last {per_arm(settings, 'loss_window')} steps"
    arm = next(iter(settings.arms.values()))
    return f"last {style.number(100 * arm.loss_window / arm.steps)} % of its steps"


def lengths_vary(tables: Tables) -> bool:
    """Whether runs of one arm differ in length, which is then an axis."""
    return tables.axis in ("batch", "duration")


def per_arm(settings: Settings, what: Literal["steps", "loss_window"]) -> str:
    """A number that all arms share, or each arm's own, in words."""
    numbers = {arm.label: int(getattr(arm, what)) for arm in settings.arms.values()}
    if len(set(numbers.values())) == 1:
        return str(next(iter(numbers.values())))
    return style.listing(f"{number} ({label})" for label, number in numbers.items())


def arm_looks(settings: Settings) -> dict[str, tuple[str, str]]:
    """Colour and marker of each arm; up to 117 arms look different."""
    colors = style.ARM_COLORS
    return {
        name: (colors[place % len(colors)], _MARKERS[place % len(_MARKERS)])
        for place, name in enumerate(settings.arms)
    }


def arm_title(arm: Arm) -> str:
    """An arm's label with the learning rate at which it was measured."""
    rate = arm.reference_learning_rate
    return arm.label if rate is None else f"{arm.label}   η₀ = {style.number(rate, 4)}"


def loss_title(tables: Tables) -> str:
    """The training loss with its unit, where it has one."""
    losses = {json.loads(config).get("loss") for config in tables.runs["config"].unique()}
    return "training loss (nats)" if losses == {"cross_entropy"} else "training loss"


def is_bound(estimate: Mapping[Any, Any] | pd.Series) -> bool:
    """Whether an interval has an open side, as where an optimum lies at the grid's end."""
    return bool(estimate["open_low"] or estimate["open_high"])


def drift_clause(tables: Tables, settings: Settings, name: str) -> list[str]:
    """How far an arm's optimum moves, in words; nothing where no drift was fitted."""
    drifts = tables.shown("drift", settings.confidence, arm=name)
    if drifts.empty or not math.isfinite(float(drifts["value"].iloc[0])):
        return []
    drift = drifts.iloc[0]
    bound = " (a bound: some optimum lies at the grid's end)" if is_bound(drift) else ""
    words = f"the optimum moves by {style.estimate(drift)} octaves per octave of {tables.axis}"
    return [words + bound]


def band_sentence(seeds: int, settings: Settings, mark: str = "bands") -> str:
    """The sentence that says what the intervals are."""
    if seeds < 2:
        return f"A single seed, so no {mark}."
    return (
        f"{mark.capitalize()}: {100 * settings.confidence:g} % Student-t intervals of the seed "
        "mean (of the logarithm on logarithmic axes)."
    )


def seeds_of(measured: pd.DataFrame, tables: Tables) -> int:
    """Seeds of a measured table; those of the runs where nothing was measured."""
    return int(measured["seed"].nunique()) or tables.seeds()


def diverged_sentence(tables: Tables) -> str:
    """The sentence on measured runs that diverged; empty if none did."""
    measured = tables.runs[tables.runs["measured"].astype(bool)]
    lost = int((measured["status"] != "ok").sum())
    if not lost:
        return ""
    verb = "enter" if lost > 1 else "enters"
    return f"{lost} of {len(measured)} runs at η₀ diverged and {verb} only up to there."


def gaps_sentence(missing: list[str]) -> str:
    """The sentence that says what could not be drawn; empty if nothing is missing."""
    return f"Missing: {'; '.join(missing)}." if missing else ""


def lacking_sizes(found: pd.DataFrame, tables: Tables, arm: str, what: str) -> list[str]:
    """Which sizes of an arm have no row in `found`, in words, at most one entry."""
    asked = tables.runs.loc[tables.runs["arm"] == arm, "size"].unique()
    have = set(found.loc[found["arm"] == arm, "size"]) if len(found) else set()
    if not len(asked):
        return [f"{what}, as the arm has no run"]
    lacking = sorted(int(size) for size in asked if size not in have)
    if not lacking:
        return []
    if not have:
        return [f"{what} in every {tables.axis}"]
    return [f"{what} at {tables.axis} {style.listing(lacking)}"]
