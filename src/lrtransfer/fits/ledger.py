"""The ledger: every claim of an experiment with what was measured and the verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lrtransfer.fits.claim import load_claims
from lrtransfer.fits.effects import Fits
from lrtransfer.fits.intervals import UNKNOWN
from lrtransfer.fits.power import shortfall
from lrtransfer.fits.rules import verdict

_HEADER = ("verdict", "claim", "value", "interval", "rule", "experiment", "scale")


def evaluate_claims(experiment: str, scale: str, fits: Fits) -> list[dict[str, Any]]:
    """Return one JSON-safe record per claim of `experiment`, in the order of file names.

    A number that JSON lacks becomes None: an unknown value, and an open or unknown limit. The
    verdict is reached before that, so an open side counts as open. A claim that its experiment
    cannot decide, or not yet, has a ``reason`` where the claim provides for one.

    Args:
        experiment: name in params.yaml.
        scale: e.g. "laptop"; recorded only.
        fits: tables of `fit_experiment`.
    """
    records = []
    for claim in load_claims():
        if experiment not in claim.experiments:
            continue
        effect = claim.evaluate(fits)
        obstacle = claim.obstacle(fits) if claim.obstacle else ""
        found = "inconclusive" if obstacle else verdict(claim.rule, effect)
        value, low, high = effect or UNKNOWN
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
                "verdict": found,
                "scale": scale,
                "experiment": experiment,
                "figure": claim.figure,
            }
        )
        if claim.obstacle and found == "inconclusive":
            records[-1]["reason"] = obstacle or shortfall(claim.rule, effect)
    return records


def table(records: Sequence[dict[str, Any]]) -> str:
    """Return the records as an aligned plain-text table, verdict first, and reasons below it."""
    if not records:
        return "no claims"
    rows = [_HEADER, *(_cells(record) for record in records)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    lines += [f"{r['id']}: {r['reason']}" for r in records if r.get("reason")]
    return "\n".join(line.rstrip() for line in lines)


def _cells(record: dict[str, Any]) -> tuple[str, ...]:
    limits = ", ".join(_text(record[name]) for name in ("ci_low", "ci_high"))
    return (
        record["verdict"],
        record["id"],
        _text(record["value"]),
        f"[{limits}]",
        record["rule"],
        record["experiment"],
        record["scale"],
    )


def _text(number: float | None) -> str:
    return "?" if number is None else f"{number:.3g}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
