"""Estimates with planted values, and the claims of the repository judged on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lrtransfer.study.evidence.estimates import Estimates, Of, Row
from lrtransfer.study.evidence.ledger import rule_of
from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.study.plan.claims import FILE, Claim, load_claims
from lrtransfer.study.plan.load import load_study
from lrtransfer.transfer.estimate import Estimate, Part, of_seeds
from tests.tiny import PARAMS

from .rows import CONFIDENCE, stored

CLAIMS = load_claims(PARAMS.with_name(FILE), load_study(PARAMS))


def row(statistic: str, value: float | Estimate, **of: Any) -> Row:
    """Return a row; a bare number has a standard error of 0.01."""
    known = value if isinstance(value, Estimate) else around(value)
    return Of(statistic=statistic, unit="1", **of), known


def around(value: float, deviation: float = 0.01) -> Estimate:
    """Return an estimate of unlimited degrees of freedom."""
    return Estimate(value, (Part(deviation**2, float("inf")),))


def seeds(*values: float) -> Estimate:
    """Return the mean over seeds 0, 1, …"""
    return of_seeds(values, range(len(values)))


def estimates(*rows: Row) -> Estimates:
    """Return rows as they are read back."""
    return stored(rows)


def judged(claim: Claim, own: Estimates) -> str:
    """Return the verdict on one experiment's estimates, whatever the claim needs."""
    found = every_measure()[claim.measure](own, **claim.options(own.arms))
    return "inconclusive" if found is None else found.verdict(rule_of(claim.entry.rule), CONFIDENCE)


def on(experiment: str) -> Iterable[Claim]:
    """Return the claims on an experiment."""
    return [claim for claim in CLAIMS if experiment in claim.entry.experiments]
