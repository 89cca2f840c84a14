"""The answer in a few sentences, every number read from the ledger and the estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lrtransfer.study.figures.style import estimate, interval, listing, number
from lrtransfer.study.figures.tables import Tables
from lrtransfer.study.plan.claims import OURS

_OWN = "lrtransfer"
_MOST = 6
_SHARPNESS = frozenset({"sharpness", "preconditioned_sharpness"})


def sentences(
    records: Sequence[Mapping[str, Any]],
    tables: Tables | None = None,
    arms: Mapping[str, str] | None = None,
    *,
    experiment: str = "",
    confidence: float = 0.95,
) -> list[str]:
    """Return at most six sentences; one whose numbers are missing makes room for another.

    The last counts the verdicts; before it come the five first that can be said.

    Args:
        records: of the ledger.
        tables: of the experiment that stands for the study.
        arms: its labels by arm.
        experiment: its name.
        confidence: of the intervals.
    """
    found = [
        _movement(tables, arms, experiment, confidence) if tables and arms else "",
        _curvature(records),
        _weight_decay(records),
        _tuners(records),
        _predictors(records),
        _cost(tables, arms, confidence) if tables and arms else "",
        _predictor(records),
    ]
    said = [sentence for sentence in found if sentence][: _MOST - 1]
    return [sentence for sentence in (*said, _counts(records)) if sentence]


def _movement(tables: Tables, arms: Mapping[str, str], experiment: str, confidence: float) -> str:
    drifts = tables.shown("drift", confidence).to_dict("records")
    rows = [row for row in drifts if row["arm"] in arms and _known(row["value"])]
    if not rows:
        return ""
    rows.sort(key=lambda row: abs(float(row["value"])))
    bounded = [row for row in rows if _bounded(row)]
    axis, said = rows[0]["axis"], []
    if bounded:
        drift = listing(f"{estimate(row)} under {arms[str(row['arm'])]}" for row in bounded)
        said.append(
            f"the best learning rate moves, in octaves per octave of {axis}, by {drift}: it "
            "transfers where that is zero"
        )
    if unbounded := [arms[str(row["arm"])] for row in rows if row not in bounded]:
        said.append(
            f"these rates and seeds do not bound how the best one moves with {axis} under "
            f"{listing(unbounded)}"
        )
    return f"In the experiment {experiment.replace('_', ' ')} {'; '.join(said)}."


def _cost(tables: Tables, arms: Mapping[str, str], confidence: float) -> str:
    regret = tables.shown("regret", confidence)
    shares = tables.shown("relative_regret", confidence).set_index(["arm", "size"])["value"]
    references = regret.loc[regret["at"] == "reference", "size"]
    if references.empty or regret["size"].max() == references.min():
        return ""
    largest = int(regret["size"].max())
    rows = [
        row
        for row in regret[regret["size"] == largest].to_dict("records")
        if row["arm"] in arms and _known(row["value"]) and _bounded(row)
    ]
    parts = [
        f"{estimate(row)} ({_percent(shares[row['arm'], largest])} %) under {arms[row['arm']]}"
        for row in sorted(rows, key=lambda row: float(row["value"]))
    ]
    if not parts:
        return ""
    return (
        f"Training {rows[0]['axis']} {largest} there with the rate that was best at "
        f"{rows[0]['axis']} {int(references.min())} adds to its best loss {listing(parts)}."
    )


def _weight_decay(records: Sequence[Mapping[str, Any]]) -> str:
    independent = _effect(records, "decay_independent_updates_equal")
    standard = _effect(records, "decay_standard_updates_fall")
    if not (independent and standard):
        return ""
    return (
        "Late in training the relative updates of hidden weights grow with width to the power of "
        f"{independent} under independent weight decay and of {standard} under standard decay: "
        "it is weight decay that keeps them equal, where that is zero."
    )


def _tuners(records: Sequence[Mapping[str, Any]]) -> str:
    edge = _effect(records, "tuner_cdat_just_above_edge")
    steps = _effect(records, "tuner_cdat_keeps_up_with_constant")
    price = _effect(records, "tuner_cdat_beats_constant_at_equal_price")
    if not (edge and steps and price):
        return ""
    return (
        f"CDAT holds rate times sharpness at {edge}, beside the edge at 2; its final loss over "
        f"that of the best constant rate is 2 to the power of {steps} in as many steps and of "
        f"{price} at the same price."
    )


def _predictors(records: Sequence[Mapping[str, Any]]) -> str:
    sharpness = _effect(records, "joint_sharpness_predicts_transfer")
    updates = _effect(records, "joint_updates_predict_transfer")
    gap = _effect(records, "joint_sharpness_predicts_better_than_updates")
    if not (sharpness and updates and gap):
        return ""
    return (
        "Over arms of all three papers, the drift of the optimum correlates with what rate times "
        f"curvature predicts by {sharpness} (ranks), with what late relative updates predict by "
        f"{updates}; the difference is {gap}."
    )


def _effect(records: Sequence[Mapping[str, Any]], claim: str) -> str:
    """Return the first value of a claim with its interval; empty where there is none."""
    for record in records:
        if record["id"] == claim and None not in (record["value"], record["ci_low"]):
            high = math.inf if record["ci_high"] is None else float(record["ci_high"])
            limits = interval(float(record["ci_low"]), high)
            return f"{number(float(record['value']), 2)} {limits}"
    return ""


def _curvature(records: Sequence[Mapping[str, Any]]) -> str:
    judged = [
        record
        for record in records
        # Over its edge of stability it is the sharpness, whichever of the two was measured.
        if record.get("quantity") in _SHARPNESS or record.get("measure") == "edge_ratio"
    ]
    if not judged:
        return ""
    counts = {
        word: sum(r["verdict"] == word for r in judged)
        for word in ("supported", "contradicted", "inconclusive")
    }
    return (
        f"Of {len(judged)} claim{'' if len(judged) == 1 else 's'} about the sharpness as the "
        f"reason, {counts['supported']} {_verb(counts['supported'])} supported, "
        f"{counts['contradicted']} contradicted and {counts['inconclusive']} left open."
    )


def _predictor(records: Sequence[Mapping[str, Any]]) -> str:
    record = next((r for r in records if r["id"] == "predict_covers_held_out"), None)
    if record is None or record["value"] is None:
        return ""
    return (
        f"Predicted from the smaller sizes, the best rate of the largest one fell into its "
        f"interval in {100 * float(record['value']):.0f} % of arms "
        f"({100 * float(record['ci_low']):.0f} to {100 * float(record['ci_high']):.0f} %; "
        f"{record['metric'].split(' whose')[0].removeprefix('share of ')})."
    )


def _counts(records: Sequence[Mapping[str, Any]]) -> str:
    papers = [r for r in records if r["paper"] not in (_OWN, OURS)]
    judged = papers or [r for r in records if r["paper"] == OURS]
    if not judged:
        return ""

    def count(field: str, word: str) -> int:
        return sum(r.get(field) == word for r in judged)

    supported = count("verdict", "supported")
    sentence = (
        f"Of {len(judged)} claim{'' if len(judged) == 1 else 's'}"
        f"{' of the papers' if papers else ''}, {supported} {_verb(supported)} "
        f"supported, {count('verdict', 'contradicted')} contradicted and "
        f"{count('verdict', 'inconclusive')} inconclusive at this scale"
    )
    # Of one claim there is no number to correct for.
    if "verdict_corrected" in judged[0] and len(judged) > 1:
        sentence += (
            f"; corrected for their number, {count('verdict_corrected', 'supported')} and "
            f"{count('verdict_corrected', 'contradicted')} verdicts remain"
        )
    return sentence + "."


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f}" if abs(percent) >= 10 else number(percent, 2)


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"


def _bounded(row: Mapping[Any, Any]) -> bool:
    """Return whether an estimate says anything: an arm of one rate bounds nothing."""
    return (row["ci_low"], row["ci_high"]) != (-math.inf, math.inf)


def _known(value: object) -> bool:
    return math.isfinite(float(str(value)))
