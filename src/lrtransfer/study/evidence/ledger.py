"""The ledger: every claim of an experiment with what was measured and the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from lrtransfer.study.evidence.claim import load_claims
from lrtransfer.study.evidence.effects import Fits
from lrtransfer.study.evidence.power import Power, as_record, needed
from lrtransfer.study.evidence.significance import LEVELS, p_value
from lrtransfer.transfer.intervals import UNKNOWN
from lrtransfer.transfer.rules import verdict

_HEADER = (
    "verdict",
    "corrected",
    "claim",
    "value",
    "interval",
    "rule",
    "p",
    "experiment",
    "scale",
    "what would decide it",
)


def evaluate_claims(
    experiment: str,
    scale: str,
    fits: Fits,
    *,
    fits_at: Callable[[float], Fits] | None = None,
    seeds: int = 3,
    sizes: int = 4,
    confidence: float = 0.95,
) -> list[dict[str, Any]]:
    """Return one JSON-safe record per claim of `experiment`, in the order of file names.

    A number that JSON lacks becomes None: an unknown value, and an open or unknown limit. The
    verdict is reached before that, so an open side counts as open.

    Args:
        experiment: name in params.yaml.
        scale: e.g. "laptop"; recorded only.
        fits: tables of `fit_experiment`.
        fits_at: confidence -> the same tables at another confidence, for the p values; without it
            they are None.
        seeds: of each sweep.
        sizes: swept.
        confidence: of `fits`.
    """
    chosen = [claim for claim in load_claims() if experiment in claim.experiments]
    at = {level: fits_at(1 - level) for level in LEVELS} if fits_at and chosen else {}
    records = []
    for claim in chosen:
        effect = claim.evaluate(fits)
        obstacle = claim.obstacle(fits) if claim.obstacle else ""
        value, low, high = effect or UNKNOWN
        effects = {level: claim.evaluate(tables) for level, tables in at.items()}
        power = needed(
            claim.rule, effect, claim.metric, seeds=seeds, sizes=sizes, confidence=confidence
        )
        if obstacle:
            effects, power = {}, Power(None, None, obstacle)
        records.append(
            {
                "id": claim.id,
                "paper": claim.paper,
                "statement": claim.statement,
                "metric": claim.metric,
                "value": _number(value),
                "ci_low": _number(low),
                "ci_high": _number(high),
                "rule": str(claim.rule),
                "verdict": "inconclusive" if obstacle else verdict(claim.rule, effect),
                "p_value": p_value(claim.rule, effects),
                **as_record(power),
                "scale": scale,
                "experiment": experiment,
                "figure": claim.figure,
            }
        )
    return records


def counts(records: Sequence[dict[str, Any]]) -> str:
    """Return the verdicts of the papers' claims counted, as they stand and corrected, in a line."""
    papers = [r for r in records if r["paper"] != "lrtransfer"]

    def count(field: str) -> str:
        return ", ".join(
            f"{sum(r[field] == name for r in papers)} {name}"
            for name in ("supported", "contradicted", "inconclusive")
        )

    line = f"{len(papers)} claims: {count('verdict')}"
    if papers and "verdict_corrected" in papers[0]:
        line += f"; corrected for their number (Holm): {count('verdict_corrected')}"
    return line


def table(records: Sequence[dict[str, Any]]) -> str:
    """Return the records as an aligned plain-text table, verdict first."""
    if not records:
        return "no claims"
    rows = [_HEADER, *(_cells(record) for record in records)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in lines)


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    limits = ", ".join(_text(record[name]) for name in ("ci_low", "ci_high"))
    return (
        record["verdict"],
        record.get("verdict_corrected", "–"),
        record["id"],
        _text(record["value"]),
        f"[{limits}]",
        record["rule"],
        _text(record.get("p_value")),
        record["experiment"],
        record["scale"],
        record.get("power", ""),
    )


def _text(number: float | None) -> str:
    return "?" if number is None else f"{number:.3g}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
