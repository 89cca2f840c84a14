"""The ledger: every claim with what was measured and the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lrtransfer.study.evidence.conditions import unmet
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.study.evidence.power import Power, needed
from lrtransfer.study.evidence.significance import corrected
from lrtransfer.study.plan.claims import Claim
from lrtransfer.study.plan.claims import Rule as Region
from lrtransfer.transfer.held_out import coverage_record
from lrtransfer.transfer.intervals import UNKNOWN
from lrtransfer.transfer.rules import Above, Below, Rule, Within

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
_VERDICTS = ("supported", "contradicted", "inconclusive")


def ledger(
    estimates: Mapping[str, Estimates],
    claims: Sequence[Claim],
    forecasts: Iterable[pd.DataFrame] = (),
    *,
    scale: str,
    confidence: float = 0.95,
) -> list[dict[str, Any]]:
    """Return one JSON-safe record per claim and experiment, and one of the predictor's hold-outs.

    The verdicts are corrected (Holm) for the number of claims of a record's `family`, all that are
    registered in claims.yaml, those on experiments without estimates included.

    Args:
        estimates: of each experiment, in the order of the records.
        claims: of claims.yaml; those on experiments without estimates count and have no record.
        forecasts: the tables of `held_out.forecasts`.
        scale: e.g. "laptop"; recorded only.
        confidence: of the intervals, and 1 minus the level of the corrected verdicts.
    """
    records = [
        _record(claim, name, own, scale, confidence)
        for name, own in estimates.items()
        for claim in claims
        if name in claim.entry.experiments
    ]
    registered = Counter(claim.family for claim in claims for _ in claim.entry.experiments)
    held_out = [table[table["kind"] == "held_out"] for table in forecasts]
    records.append(coverage_record(held_out, scale, confidence))
    return corrected(records, registered, 1 - confidence)


def _record(
    claim: Claim, experiment: str, estimates: Estimates, scale: str, confidence: float
) -> dict[str, Any]:
    """Judge a claim on one experiment.

    A number that JSON lacks becomes None: an unknown value, and an open or unknown limit. The
    verdict is reached before that, so an open side counts as open.
    """
    measure, rule = every_measure()[claim.measure], rule_of(claim.entry.rule)
    options = claim.options(estimates.arms)
    effect, unfit = None, ""
    try:
        effect = measure(estimates, **options)
    except ValueError as error:  # other claims are judged all the same
        unfit = f"The measure does not fit the experiment: {error}."
    interval = None if effect is None else effect.interval(confidence)
    obstacle = unfit or unmet(claim.entry.needs, estimates, options, effect, confidence)
    if obstacle:
        power = Power(None, None, obstacle)
    else:
        seeds, sizes = estimates.extent
        power = needed(rule, effect, measure.kind, seeds=seeds, sizes=sizes, confidence=confidence)
    value, low, high = interval or UNKNOWN
    return {
        "id": claim.id,
        "paper": claim.paper,
        "experiment": experiment,
        "statement": claim.entry.says,
        "measure": claim.measure,
        "quantity": options.get("quantity", ""),
        "metric": measure.words(options, estimates.axis),
        "unit": measure.unit.format(axis=estimates.axis),
        "value": _number(value),
        "ci_low": _number(low),
        "ci_high": _number(high),
        "p_value": None if obstacle or effect is None else effect.p(rule),
        "rule": str(rule),
        "verdict": "inconclusive"
        if obstacle or effect is None
        else effect.verdict(rule, confidence),
        "family": claim.family,
        "obstacle": obstacle or ("" if effect is None else effect.obstacle),
        "power": power.text,
        "seeds_needed": power.seeds,
        "sizes_needed": power.sizes,
        "figure": claim.entry.figure,
        "scale": scale,
        "fixed": claim.entry.fixed,
    }


def rule_of(region: Region) -> Rule:
    """Return the rule that an entry of claims.yaml writes."""
    if region.within is not None:
        return Within(*region.within)
    if region.above is not None:
        return Above(region.above)
    if region.below is not None:
        return Below(region.below)
    raise ValueError("a rule says within, above or below")


def counts(records: Sequence[dict[str, Any]]) -> str:
    """Return the verdicts counted, as they stand and corrected, in a line per family.

    Args:
        records: of the ledger, all or some; those of no family are left out.
    """
    families: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        if record["family_size"] is not None:
            families.setdefault(record["family"], []).append(record)

    def count(own: Sequence[dict[str, Any]], field: str) -> str:
        return ", ".join(f"{sum(r[field] == name for r in own)} {name}" for name in _VERDICTS)

    return "\n".join(
        f"{name}, {len(own)} claims: {count(own, 'verdict')}; corrected for the "
        f"{own[0]['family_size']} registered (Holm): {count(own, 'verdict_corrected')}"
        for name, own in families.items()
    )


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
        record["verdict_corrected"],
        record["id"],
        _text(record["value"]),
        f"[{limits}]",
        record["rule"],
        _text(record["p_value"]),
        record["experiment"],
        record["scale"],
        record["power"],
    )


def _text(number: float | None) -> str:
    return "?" if number is None else f"{number:.3g}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
