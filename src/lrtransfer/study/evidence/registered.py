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

#: Measures of one arm's drift.
_DRIFTS = ("drift", "drift_over_range")


def registered(
    estimates: Mapping[str, Estimates],
    claims: Sequence[Claim],
    drifts: Mapping[tuple[str, str], Estimate],
    *,
    seeds: int,
    confidence: float = 0.95,
    octaves: Mapping[str, float] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row per claim and experiment.

    `half_width` is today's, `then` the design's; `power` that of the present value being the truth,
    `power_inside` that of the middle of a `Within`; `detectable` how far beyond its threshold a
    truth has to lie to be decided in four of five studies. Of an experiment that was not run there
    are those on drifts of arms that were piloted.

    Args:
        estimates: of each experiment.
        claims: of claims.yaml.
        drifts: experiment and arm -> a drift of the design's scatter; of arms left out the
            present scatter is taken.
        seeds: of each sweep of the design.
        confidence: of the intervals.
        octaves: experiment that was not run -> octaves of size that it sweeps.
    """
    for name, own in estimates.items():
        for claim in claims:
            if name in claim.entry.experiments:
                yield _row(claim, name, own, drifts, seeds=seeds, confidence=confidence)
    for name, span in (octaves or {}).items():
        planned = {arm: drift for (of, arm), drift in drifts.items() if of == name}
        for claim in claims:
            study = _planned(claim, planned, span) if name in claim.entry.experiments else None
            if study is not None:
                head = {"claim": claim.id, "experiment": name, "measure": claim.measure}
                rule = rule_of(claim.entry.rule)
                yield {**head, "rule": str(rule), "seeds": seeds} | _power(rule, study, confidence)


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
        "power": decides(rule, effect.value, study, confidence)
        if math.isfinite(effect.value) and not math.isnan(study.half_width(level))
        else math.nan,
        **_power(rule, study, confidence),
    }


def _power(rule: Rule, study: Estimate, confidence: float) -> dict[str, float]:
    """Return what a design of this scatter can decide, whatever the truth."""
    return {
        "then": study.half_width(1 - confidence),
        "power_inside": _inside(rule, study, confidence),
        "detectable": detectable(rule, study, confidence),
    }


def _planned(claim: Claim, drifts: Mapping[str, Estimate], octaves: float) -> Estimate | None:
    """Return an effect of a design's scatter, of a claim on the drifts of piloted arms."""
    options = claim.options(drifts)
    asked = [options.get("arm"), *([options["minus"]] if "minus" in options else [])]
    if claim.measure not in _DRIFTS or not set(asked) <= set(drifts):
        return None
    own, *other = (drifts[str(arm)] for arm in asked)
    times = octaves if claim.measure == "drift_over_range" else 1.0
    return _times(own.minus(other[0]) if other else own, times)


def _times(drift: Estimate, times: float) -> Estimate:
    """Return a drift over so many octaves, its optima inside their grids."""
    return replace(
        drift,
        value=times * drift.value,
        parts=tuple(Part(times**2 * p.variance, p.df) for p in drift.parts),
        systematic=times * drift.systematic,
        open_low=False,
        open_high=False,
        units=(),
    )


def _of_design(
    planned: Estimate, effect: Estimate, own: Estimates, measure: str, arm: str
) -> Estimate:
    """Return the effect with the scatter of a planned drift, its optima inside their grids."""
    sizes = own.sizes("optimum", arm)
    times = math.log2(sizes[-1] / sizes[0]) if measure == "drift_over_range" else 1.0
    return replace(_times(planned, times), value=effect.value, scale=effect.scale)


def _inside(rule: Rule, study: Estimate, confidence: float) -> float:
    if not isinstance(rule, Within) or math.isnan(study.half_width(1 - confidence)):
        return math.nan
    return decides(rule, (rule.low + rule.high) / 2, study, confidence)
