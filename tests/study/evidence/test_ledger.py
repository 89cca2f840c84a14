"""The ledger on a planted study: one that agrees with the paper, one that does not, one seed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.ledger import counts, ledger, table
from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.study.plan.claims import OURS
from lrtransfer.transfer.held_out import forecasts
from tests.transfer.frames import Array, make_curves, make_runs, parabola

from .planted import CLAIMS, estimates, on, row
from .rows import stored

EXPERIMENT = "width_transfer_vision"
FIELDS = [
    "id",
    "paper",
    "experiment",
    "statement",
    "measure",
    "quantity",
    "metric",
    "unit",
    "value",
    "ci_low",
    "ci_high",
    "p_value",
    "rule",
    "verdict",
    "family",
    "obstacle",
    "power",
    "seeds_needed",
    "sizes_needed",
    "figure",
    "scale",
    "fixed",
    "family_size",
    "p_corrected",
    "verdict_corrected",
]
WIDTHS = (32, 64, 128, 256)
STEPS = [0, *np.unique(np.round(np.geomspace(1, 256, 16))).astype(int)]
#: arm: drift of the optimum, grid, log2 of the reference rate, width exponent of the sharpness.
ARMS = {
    "mup": (0.0, range(-3, 4), 0, 0.0),
    "ntp": (0.5, range(1, 9), 4, -0.4),
    "sp": (-0.5, range(-8, 0), -4, 0.4),
}


def planted(sign: int, seeds: tuple[int, ...] = (0, 1, 2)) -> Experiment:
    """A study in which every claim holds (sign 1), or in which all is the other way round (-1)."""
    rng = np.random.default_rng(0)
    runs, curves = [], []
    for arm, (drift, grid, reference, exponent) in ARMS.items():
        moved = sign * drift if arm != "mup" else (0.0 if sign > 0 else 0.5)
        middle = reference + 0.2

        def optimum(width: int, seed: int, moved: float = moved, middle: float = middle) -> float:
            return middle + moved * np.log2(width / 90) + 0.02 * (seed - 1)

        def sharpness(
            width: int,
            seed: int,
            t: Array,
            exponent: float = exponent,
            reference: float = reference,
        ) -> Array:
            edge = 2 / 2.0**reference * (width / 90) ** (sign * exponent)
            if sign < 0 and ARMS["mup"][3] == exponent:
                edge = edge * (3 + (256 - width) / 256 * t)
            return edge * (t + 2) / (t + 2.2) * (1 + 0.01 * rng.normal(size=len(t)))

        def growing(width: int, seed: int, t: Array, arm: str = arm) -> Array:
            gap = (256 / width - 1) * 0.01 * (1.0 + t) ** (0.7 * sign)
            return 3 + gap * (1 + 0.05 * (seed - 1)) + 1e-4 * rng.normal(size=len(t))

        of_arm = make_runs(
            parabola(optimum, 0.15), arm=arm, sizes=WIDTHS, seeds=seeds, grid=grid,
            reference=reference,
        )  # fmt: skip
        runs.append(of_arm)
        curves.append(
            make_curves(of_arm, STEPS, sharpness=sharpness, subset_loss=growing, ntk=growing)
        )
    return Experiment(pd.concat(runs), pd.concat(curves))


def judge(sign: int, **options: Any) -> list[dict[str, Any]]:
    """Return the records of the claims on the planted study."""
    own = {EXPERIMENT: stored(planted(sign, **options).estimates())}
    return ledger(own, CLAIMS, scale="laptop")[:-1]


@pytest.fixture(scope="module")
def supporting() -> list[dict[str, Any]]:
    return judge(1)


Records = list[dict[str, Any]]


def test_a_study_that_agrees_with_the_paper_supports_every_claim(supporting: Records) -> None:
    verdicts = {r["id"]: r["verdict"] for r in supporting}
    noisy = "mup_sharpness_distance_does_not_grow"
    assert verdicts.pop(noisy) in {"supported", "inconclusive"}
    assert set(verdicts.values()) == {"supported"}, verdicts


def test_a_study_that_disagrees_contradicts_every_claim() -> None:
    verdicts = {r["id"]: r["verdict"] for r in judge(-1)}
    relative = {"mup_transfers_better_than_ntp", "mup_transfers_better_than_sp"}
    assert {verdicts.pop(name) for name in relative} <= {"inconclusive", "contradicted"}
    assert set(verdicts.values()) == {"contradicted"}, verdicts


def test_one_seed_leaves_every_claim_inconclusive_and_without_a_p_value() -> None:
    records = judge(1, seeds=(0,))
    assert {(r["verdict"], r["p_value"]) for r in records} == {("inconclusive", None)}
    assert {r["seeds_needed"] for r in records} == {3}


def test_verdict_and_p_value_agree(supporting: Records) -> None:
    for record in supporting:
        assert (record["p_value"] <= 0.05) == (record["verdict"] != "inconclusive"), record["id"]


def test_records_have_the_agreed_fields_and_are_json(supporting: Records) -> None:
    assert len(supporting) == len(list(on(EXPERIMENT))) == 12
    assert all(list(record) == FIELDS for record in supporting)
    assert json.loads(json.dumps(supporting, allow_nan=False)) == supporting


def test_an_experiment_that_measured_nothing_is_inconclusive() -> None:
    nothing = {EXPERIMENT: estimates(row("best_rate", 1.0, arm="z", size=32))}
    records = ledger(nothing, CLAIMS, scale="laptop")
    json.dumps(records, allow_nan=False)
    assert {(r["value"], r["ci_low"], r["verdict"]) for r in records} == {
        (None, None, "inconclusive")
    }
    assert "train the runs" in records[0]["power"]


def test_the_number_of_claims_is_corrected_for_and_recorded(supporting: Records) -> None:
    assert all(r["p_corrected"] >= r["p_value"] for r in supporting)
    # All that are registered, of which other experiments have no estimates here.
    assert {(r["family"], r["family_size"]) for r in supporting} == {("super-consistency", 76)}
    least = min(supporting, key=lambda r: r["p_value"])
    assert least["p_corrected"] == pytest.approx(min(1, 76 * least["p_value"]))
    fixed = {r["id"]: r["fixed"] for r in supporting}
    assert fixed["ntp_sharpness_falls_with_width"] == "before"
    assert fixed["mup_optimum_stays"] == "after"


def test_a_condition_that_does_not_hold_leaves_its_claims_open_and_says_why() -> None:
    changes = {"arm": "independent", "quantity": "relative_change_without_decay", "at": "late"}

    def judged(*conditions: tuple[float, str, int]) -> dict[str, Any]:
        rows = [
            row("steady_state", holds, arm="independent", note=why, size=size)
            for holds, why, size in conditions
        ]
        extent = row("best_rate", 1.0, arm="independent", size=32)
        own = estimates(row("slope", 0.0, **changes), extent, *rows)
        records = ledger({"weight_decay": own}, CLAIMS, scale="laptop")
        return next(r for r in records if r["id"] == "decay_independent_changes_equal")

    assert judged((1.0, "", 32))["verdict"] == "supported"
    # The largest net is what a claim is about.
    assert judged((0.0, "Too short.", 16), (1.0, "", 32))["verdict"] == "supported"
    failed = judged((1.0, "", 16), (0.0, "Too short.", 32))
    assert (failed["verdict"], failed["p_value"]) == ("inconclusive", None)
    assert failed["power"] == failed["obstacle"] == "Too short."
    assert failed["value"] == 0.0
    assert judged()["power"] == "The conditions of the claim were not measured."


def test_the_hold_outs_of_the_predictor_are_the_last_record() -> None:
    own = planted(1)
    tables = [forecasts(own.sweeps, 0.95)]
    *records, last = ledger({EXPERIMENT: stored(own.estimates())}, CLAIMS, tables, scale="laptop")
    assert list(last) == FIELDS
    assert last["id"] == "predict_covers_held_out"
    assert last["metric"].startswith("share of 3 distinct arms")
    assert last["value"] is not None
    # It is of no paper: it neither counts nor is corrected.
    assert last["p_corrected"] is None
    (line,) = counts([*records, last]).splitlines()
    assert line.startswith("super-consistency, 12 claims: ")
    assert "corrected for the 76 registered (Holm): " in line


def test_verdicts_are_counted_by_family_and_questions_of_ours_for_no_paper() -> None:
    names = ("cdat", OURS, "cdat")
    records = [
        {"family": name, "family_size": 9, "verdict": said, "verdict_corrected": "inconclusive"}
        for name, said in zip(names, ("supported", "contradicted", "inconclusive"), strict=True)
    ]
    assert counts(records).splitlines() == [
        "cdat, 2 claims: 1 supported, 0 contradicted, 1 inconclusive; corrected for the 9 "
        "registered (Holm): 0 supported, 0 contradicted, 2 inconclusive",
        "ours, 1 claims: 0 supported, 1 contradicted, 0 inconclusive; corrected for the 9 "
        "registered (Holm): 0 supported, 0 contradicted, 1 inconclusive",
    ]


def test_an_experiment_without_claims_has_no_records() -> None:
    another: dict[str, Estimates] = {"another": estimates(row("drift", 1.0, arm="mup"))}
    (only,) = ledger(another, CLAIMS, scale="laptop")
    assert (only["id"], only["value"]) == ("predict_covers_held_out", None)
    assert table([]) == "no claims"


def test_table_is_aligned_with_the_verdict_first(supporting: Records) -> None:
    lines = table(supporting).splitlines()
    assert len(lines) == len(supporting) + 2
    start = lines[0].index("claim")
    for line, record in zip(lines[2:], supporting, strict=True):
        assert line.startswith(record["verdict"])
        assert line[start:].startswith(record["id"] + " ")


@pytest.mark.slow
def test_a_measure_that_does_not_fit_leaves_the_other_claims_their_verdicts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = {record["id"]: record["verdict"] for record in judge(1)}
    measures = dict(every_measure())
    first = next(iter(on(EXPERIMENT))).measure

    def unfit(*arguments: Any, **options: Any) -> None:
        raise ValueError("3 rows match: name one of them")

    measures[first] = replace(measures[first], function=unfit)
    monkeypatch.setattr("lrtransfer.study.evidence.ledger.every_measure", lambda: measures)
    records = judge(1)
    hit = {record["id"] for record in records if record["measure"] == first}
    assert hit and {r["verdict"] for r in records if r["id"] in hit} == {"inconclusive"}
    told = "The measure does not fit the experiment: 3 rows match: name one of them."
    assert {r["obstacle"] for r in records if r["id"] in hit} == {told}
    others = {r["id"]: r["verdict"] for r in records if r["id"] not in hit}
    assert others == {claim: v for claim, v in expected.items() if claim not in hit}
