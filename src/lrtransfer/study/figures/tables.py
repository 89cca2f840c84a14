"""What a figure is drawn from: the stored tables of one experiment, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from lrtransfer.study.evidence.estimates import SCHEMA, Estimates
from lrtransfer.transfer.size import Axis, size_axis, with_size

_RUN_COLUMNS = frozenset(
    {
        "arm",
        "key",
        "width",
        "depth",
        "lr",
        "log2_lr",
        "seed",
        "measured",
        "status",
        "final_loss",
        "config",
    }
)


@dataclass(frozen=True)
class Arm:
    """One arm as figures name it.

    Attributes:
        label: The name that readers see, for example "μP".
        reference_learning_rate: The global rate η₀ at which curvature was measured; None where
            nothing was.
        steps: Training steps of its runs, the longest where batch or duration varies.
        loss_window: A final loss is the mean training loss of this many last steps of such a run.
    """

    label: str
    reference_learning_rate: float | None
    steps: int
    loss_window: int


@dataclass(frozen=True)
class Settings:
    """What the tables do not say about an experiment.

    Attributes:
        experiment: Name of the experiment; rows of other experiments are dropped.
        arms: Arm by name, in the order of drawing.
        scale: Name of the scale ("smoke", "laptop", "paper").
        confidence: Coverage of every drawn interval, in (0, 1).
        dpi: Dots per inch of the PNG.
        description: Model, data set and optimizer in a few words, for the captions.
    """

    experiment: str
    arms: Mapping[str, Arm]
    scale: str
    confidence: float = 0.95
    dpi: int = 150
    description: str = ""

    def __post_init__(self) -> None:
        """Reject settings that no figure could honour."""
        if not self.arms:
            raise ValueError("settings.arms is empty: name at least one arm")
        if not 0.0 < self.confidence < 1.0:
            raise ValueError(
                f"settings.confidence must lie between 0 and 1 (0.95, say), not {self.confidence}"
            )


def _empty(*columns: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(columns))


@dataclass(frozen=True)
class Tables:
    """The stored tables of one experiment; an absent one is an empty frame.

    Attributes:
        runs: One row per run; `size`, `fixed` and `axis` are added (`lrtransfer.transfer.size`).
        curves: One row per run and kept step, joined to `runs` by key.
        spectra: One row per run, checkpoint and eigenvalue or quadrature node, by `kind`.
        estimates: One row per estimate (`lrtransfer.study.evidence.estimates.SCHEMA`).
        courses: Estimates that have a step besides.
        forecasts: The predictor's laws, hold-outs and forecasts, by `kind`.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame = field(default_factory=_empty("key", "step"))
    spectra: pd.DataFrame = field(default_factory=_empty("key", "step", "kind", "rank", "value"))
    estimates: pd.DataFrame = field(default_factory=_empty(*SCHEMA.names))
    courses: pd.DataFrame = field(default_factory=_empty(*SCHEMA.names, "step"))
    forecasts: pd.DataFrame = field(default_factory=_empty("kind"))

    def __post_init__(self) -> None:
        """Name the columns that `runs` lacks, before a figure trips over them; add the size."""
        if missing := _RUN_COLUMNS - set(self.runs.columns):
            raise ValueError(f"tables.runs lacks the columns {sorted(missing)}: make it anew")
        object.__setattr__(self, "runs", with_size(self.runs))

    def of(self, experiment: str) -> Tables:
        """These tables with the runs of one experiment only.

        Raises:
            ValueError: `runs` holds no run of it.
        """
        if "experiment" not in self.runs:
            return self
        runs = self.runs[self.runs["experiment"] == experiment]
        if runs.empty:
            held = sorted(self.runs["experiment"].unique())
            raise ValueError(f"tables.runs holds no run of {experiment!r}, only of {held}")
        return replace(self, runs=runs)

    @property
    def axis(self) -> Axis:
        """The axis that is drawn as size."""
        return size_axis(self.runs)

    @property
    def signed(self) -> bool:
        """Whether a final loss is below zero, so that losses are drawn on a linear axis."""
        return bool((self.runs["final_loss"].astype(float) < 0).any())

    def sizes(self) -> list[int]:
        """Sizes (widths, or depths) with runs, ascending."""
        return sorted(int(size) for size in self.runs["size"].unique())

    def fixed(self) -> list[int]:
        """Values of the other axis with runs, ascending."""
        return sorted(int(value) for value in self.runs["fixed"].unique())

    def at_fixed(self, value: int) -> Tables:
        """These tables with the runs and estimates of one value of the other axis only."""

        def kept(estimates: pd.DataFrame) -> pd.DataFrame:
            # An estimate over all arms is of no single net.
            return estimates[(estimates["fixed"] == value) | (estimates["arm"] == "")]

        return replace(
            self,
            runs=self.runs[self.runs["fixed"] == value],
            estimates=kept(self.estimates),
            courses=kept(self.courses),
        )

    def seeds(self) -> int:
        """Number of distinct seeds."""
        return int(self.runs["seed"].nunique())

    def shown(self, statistic: str, confidence: float, **where: str | float) -> pd.DataFrame:
        """The estimates of a statistic with `ci_low` and `ci_high`; `where` as in `Estimates`."""
        return Estimates(self.estimates).shown(statistic, confidence, **where)

    def course(self, statistic: str, confidence: float, **where: str | float) -> pd.DataFrame:
        """As `shown`, of what has a step."""
        return Estimates(self.courses).shown(statistic, confidence, **where)

    def measured(self, part: Literal["curves", "spectra"]) -> pd.DataFrame:
        """A table of the measured runs, with arm, size and seed of each row."""
        table = self.curves if part == "curves" else self.spectra
        runs = self.runs.loc[self.runs["measured"].astype(bool), ["key", "arm", "size", "seed"]]
        return runs.merge(table, on="key", how="inner", validate="one_to_many")


class Drawing(NamedTuple):
    """What a figure function returns.

    Attributes:
        figure: The matplotlib figure, not yet saved.
        plotted: Exactly what is drawn, in long form.
        caption: What to see, what was measured, what is missing; from the data alone.
        alt: The same for a reader who does not see the picture, shorter.
    """

    figure: Figure
    plotted: pd.DataFrame
    caption: str
    alt: str


@dataclass(frozen=True)
class Drawn:
    """A figure on disk.

    Attributes:
        name: The figure's name, which is its file stem.
        caption: Its caption, as plain text.
        alt: Its text alternative.
        fingerprint: Digest of what was plotted and said, also in the PNG's metadata.
        png: Path of the PNG.
        pdf: Path of the PDF.
        csv: Path of the plotted data.
    """

    name: str
    caption: str
    alt: str
    fingerprint: str
    png: Path
    pdf: Path
    csv: Path
