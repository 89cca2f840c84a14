"""The report: one HTML file that needs no network, the same bytes for the same inputs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from lrtransfer.study.figures.output import describe
from lrtransfer.study.figures.style import interval, number
from lrtransfer.study.figures.tables import Tables
from lrtransfer.study.plan.claims import OURS
from lrtransfer.study.report import answer, charts
from lrtransfer.study.report.explorer import explorer
from lrtransfer.study.report.forest import forest
from lrtransfer.study.report.optima import optima
from lrtransfer.study.report.tables import ESTIMATED, Table, costs, grid

_TEMPLATE = "template.html.jinja"
# What stands in place of a paper where the program judges its own predictions.
_PREDICTOR = "lrtransfer"
# A verdict is told by word, symbol and colour (the class): no reader depends on one of them.
_SYMBOLS = {"supported": "✓", "contradicted": "✗", "inconclusive": "?"}


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        name: Its name.
        png: The bytes of the PNG.
        caption: Its caption, as plain text.
        alt: Its text alternative.
    """

    name: str
    png: bytes
    caption: str
    alt: str

    @classmethod
    def read(cls, png: Path) -> ReportFigure:
        """A figure from its PNG alone, which carries caption and text alternative.

        Raises:
            ValueError: The PNG was not written by `lrtransfer.study.figures.drawing.draw`.
        """
        said = describe(png)
        return cls(png.stem, png.read_bytes(), said.caption, said.alt)

    @property
    def source(self) -> str:
        """The picture as a data URI: WebP of 64 colours, with all its pixels in half the bytes."""
        image = Image.open(io.BytesIO(self.png)).convert("RGB")
        image = image.quantize(64, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, format="WEBP", lossless=True, quality=100)
        return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


@dataclass(frozen=True)
class ExperimentReport:
    """What the report says of one experiment.

    Attributes:
        name: Name of the experiment.
        question: The question it asks, one sentence.
        paper: Short name of the paper that it answers.
        scale: Name of its scale.
        arms: Label by arm name, in order.
        tables: Its stored tables.
        description: Model, data set and optimizer in a few words.
        figures: Its figures, in order.
        redo: Commands that redo it.
        confidence: Coverage of the intervals.
    """

    name: str
    question: str
    paper: str
    scale: str
    arms: Mapping[str, str]
    tables: Tables
    description: str = ""
    figures: Sequence[ReportFigure] = ()
    redo: Sequence[str] = ()
    confidence: float = 0.95

    @property
    def title(self) -> str:
        """The name as words."""
        words = self.name.replace("_", " ")
        return words[:1].upper() + words[1:]

    @property
    def explorer(self) -> str | None:
        """Its runs, packed for the page; None without runs to show."""
        found = explorer(self.tables, self.arms)
        return charts.packed(found) if found else None

    @property
    def optima(self) -> charts.Spec | None:
        """The best rate by size; None where none was fitted."""
        return optima(self.tables, self.arms, self.confidence, "; ".join(self.redo))

    def numbers(self) -> list[Table]:
        """Tables of what was estimated, as far as it was, then the grid and the costs."""
        made = [make(self.tables, self.arms, self.confidence) for make in ESTIMATED]
        runs = self.tables.runs
        found = [table for table in made if table.rows]
        return [*found, grid(runs, self.arms), costs(runs, self.arms)]


@dataclass(frozen=True)
class Meta:
    """What the report says of the whole study.

    Attributes:
        title: Title of the page.
        lead: A sentence or two under it.
        versions: Version by name: this project, its commit, Python, libraries, ...
        redo: Commands that redo the study, in order.
    """

    title: str = "Learning-rate transfer: report of the study"
    lead: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    redo: Sequence[str] = ()


class ClaimRow(NamedTuple):
    """A claim as the ledger shows it, all text; `experiment` links, or is empty."""

    id: str
    statement: str
    metric: str
    effect: str
    interval: str
    rule: str
    verdict: str
    symbol: str
    corrected: str
    p: str
    power: str
    paper: str
    scale: str
    experiment: str
    figure: str


def render(
    experiments: Sequence[ExperimentReport],
    claims: Sequence[Mapping[str, Any]],
    meta: Meta,
) -> str:
    """The report as HTML text.

    Args:
        experiments: What to say of each experiment, in order.
        claims: Records of the claims ledger (id, statement, metric, value, ci_low, ci_high, rule,
            verdict, experiment, figure). Null values and intervals are shown as "–"; a single null
            bound is an open end and shown as ∞.
        meta: Title, versions, commands.

    Raises:
        ValueError: Two experiments share a name, or a verdict is none of the three.
    """
    names = [experiment.name for experiment in experiments]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"experiments repeats {', '.join(repeated)}: report each one once")
    # Of the predictor nothing is said where no study was large enough to hold a size out.
    claims = [r for r in claims if r["paper"] != _PREDICTOR or r["value"] is not None]
    rows = [_claim(record) for record in claims]
    papers = [row for row in rows if row.paper not in (_PREDICTOR, OURS)]
    ours = [row for row in rows if row.paper == OURS]
    judged = papers or ours
    shown = {(e.name, f.name) for e in experiments for f in e.figures}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(_TEMPLATE).render(
        experiments=experiments,
        claims=rows,
        claims_of={name: [row for row in rows if row.experiment == name] for name in names},
        counts={verdict: _count(judged, verdict) for verdict in _SYMBOLS},
        counts_corrected=(
            {verdict: _count(judged, verdict, "corrected") for verdict in _SYMBOLS}
            if any(row.corrected for row in judged)
            else {}
        ),
        judged=len(judged),
        apart=len(ours) if papers else 0,
        answer=_answer(experiments, claims),
        forest=_forest(experiments, claims),
        optima=_optima(experiments),
        library=charts.library(),
        script=charts.script(),
        policy=charts.policy(),
        symbols=_SYMBOLS,
        shown=shown,
        meta=meta,
    )


def _forest(
    experiments: Sequence[ExperimentReport], claims: Sequence[Mapping[str, Any]]
) -> str | None:
    """All claims in one picture, packed; None without any."""
    seeds = {e.name: str(e.tables.seeds()) for e in experiments}
    found = forest(claims, seeds, {e.name: "; ".join(e.redo) for e in experiments})
    return charts.packed({"all claims": found}) if found else None


def _optima(experiments: Sequence[ExperimentReport]) -> str | None:
    """The best rates of each experiment, first of that which the answer is about, packed."""
    found = {e.title: chart for e in _telling(experiments) if (chart := e.optima)}
    return charts.packed(found) if found else None


def _telling(experiments: Sequence[ExperimentReport]) -> list[ExperimentReport]:
    """The experiments, those first that compare arms."""
    return sorted(experiments, key=lambda experiment: len(experiment.arms) < 2)


def _answer(
    experiments: Sequence[ExperimentReport], claims: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The answer, on the first experiment that compares arms, or else the first of all."""
    if not experiments:
        return answer.sentences(claims)
    chosen = _telling(experiments)[0]
    return answer.sentences(
        claims, chosen.tables, chosen.arms, experiment=chosen.name, confidence=chosen.confidence
    )


def _claim(record: Mapping[str, Any]) -> ClaimRow:
    """A ledger record as text."""
    verdict = str(record["verdict"])
    if verdict not in _SYMBOLS:
        raise ValueError(
            f"claim {record.get('id')!r} has the verdict {verdict!r}: it must be one of "
            f"{', '.join(_SYMBOLS)}"
        )
    value, low, high = (_float(record[name]) for name in ("value", "ci_low", "ci_high"))
    # JSON knows no infinity: one missing bound of a known effect is an open end.
    if math.isnan(low) != math.isnan(high):
        low, high = (
            (-math.inf if math.isnan(low) else low),
            (math.inf if math.isnan(high) else high),
        )
    return ClaimRow(
        id=str(record["id"]),
        statement=str(record["statement"]),
        metric=str(record["metric"]),
        effect=number(value),
        interval=interval(low, high, 3),
        rule=str(record["rule"]),
        verdict=verdict,
        symbol=_SYMBOLS[verdict],
        corrected=str(record.get("verdict_corrected") or ""),
        p=_p(record.get("p_value")),
        power=str(record.get("power") or "–"),
        paper=str(record["paper"]),
        scale=str(record["scale"]),
        experiment=str(record["experiment"]),
        figure=str(record.get("figure") or ""),
    )


def _float(value: object) -> float:
    return math.nan if value is None else float(str(value))


def _p(value: object) -> str:
    if value is None:
        return "–"
    return number(float(str(value)), 2)


def _count(rows: Sequence[ClaimRow], verdict: str, field: str = "verdict") -> int:
    return sum(getattr(row, field) == verdict for row in rows)
