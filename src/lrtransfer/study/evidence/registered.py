"""What power every claim has at a design that is yet to be run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lrtransfer.study.evidence.conditions import unmet
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.ledger import rule_of
from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.study.evidence.power import decides, detectable, with_seeds
from lrtransfer.study.plan.claims import Claim
from lrtransfer.transfer.estimate import Estimate, Part
from lrtransfer.transfer.rules import Rule, Within

#: Measures of one arm's drift: by how many octaves of size it is multiplied.
_DRIFTS = ("drift", "drift_over_range")


def registered(
    estimates: Mapping[str, Estimates],
    claims: Sequence[Claim],
    drifts: Mapping[tuple[str, str], Estimate],
    *,
    seeds: int,
    confidence: float = 0.95,
) -> Iterator[dict[str, Any]]:
    """Yield a row per claim and experiment.

    `half_width` is today's, `then` the design's; `power` that of the present value being the truth,
    `power_inside` that of the middle of a `Within`; `detectable` how far beyond its threshold a
    truth has to lie to be decided in four of five studies.

    Args:
        estimates: of each experiment.
        claims: of claims.yaml.
        drifts: experiment and arm -> a drift of the design's scatter; of arms left out the
            present scatter is taken.
        seeds: of each sweep of the design.
        confidence: of the intervals.
    """
    for name, own in estimates.items():
        for claim in claims:
            if name in claim.entry.experiments:
                yield _row(claim, name, own, drifts, seeds=seeds, confidence=confidence)


def _row(
    claim: Claim,
    experiment: str,
    own: Estimates,
    drifts: Mapping[tuple[str, str], Estimate],
    *,
    seeds: int,
    confidence: float,
) -> dict[str, Any]:
    measure, rule = every_measure()[claim.measure], rule_of(claim.entry.rule)
    options = claim.options(own.arms)
    effect = measure(own, **options)
    row: dict[str, Any] = {
        "claim": claim.id,
        "experiment": experiment,
        "measure": claim.measure,
        "rule": str(rule),
        "seeds": max(seeds, own.extent[0]),
        "obstacle": unmet(claim.entry.needs, own, options, effect, confidence),
    }
    if effect is None or measure.kind == "arms" or effect.scale not in ("linear", "root"):
        return row
    study = with_seeds(effect, own.extent[0], row["seeds"])
    planned = drifts.get((experiment, str(options.get("arm"))))
    if planned is not None and claim.measure in _DRIFTS and "minus" not in options:
        study = _of_design(planned, effect, own, claim.measure, str(options["arm"]))
    level = 1 - confidence
    return row | {
        "value": effect.value,
        "half_width": effect.half_width(level),
        "then": study.half_width(level),
        "power": decides(rule, effect.value, study, confidence)
        if math.isfinite(effect.value) and not math.isnan(study.half_width(level))
        else math.nan,
        "power_inside": _inside(rule, study, confidence),
        "detectable": detectable(rule, study, confidence),
    }


def _of_design(
    planned: Estimate, effect: Estimate, own: Estimates, measure: str, arm: str
) -> Estimate:
    """Return the effect with the scatter of a planned drift, its optima inside their grids."""
    sizes = own.sizes("optimum", arm)
    times = math.log2(sizes[-1] / sizes[0]) if measure == "drift_over_range" else 1.0
    parts = tuple(Part(times**2 * p.variance, p.df) for p in planned.parts)
    return replace(
        effect,
        parts=parts,
        systematic=times * planned.systematic,
        open_low=False,
        open_high=False,
        units=(),
    )


def _inside(rule: Rule, study: Estimate, confidence: float) -> float:
    if not isinstance(rule, Within) or math.isnan(study.half_width(1 - confidence)):
        return math.nan
    return decides(rule, (rule.low + rule.high) / 2, study, confidence)
