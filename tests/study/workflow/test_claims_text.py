"""The ledger as `lrtransfer claims` prints it."""

from __future__ import annotations

import json
from typing import Any

from lrtransfer.study.workflow.claims_text import COLUMNS, claims_text
from tests.tiny import ROOT

COMMITTED: list[dict[str, Any]] = json.loads(
    (ROOT / "results/claims.json").read_text(encoding="utf-8")
)


def test_the_committed_ledger_fits_100_columns_and_leaves_no_claim_out() -> None:
    text = claims_text(COMMITTED)
    assert max(map(len, text.splitlines())) <= COLUMNS == 100
    words = text.split()
    assert all(record["id"] in words for record in COMMITTED)
    for verdict in ("supported", "contradicted", "inconclusive"):
        fields = ("verdict", "verdict_corrected")
        assert words.count(verdict) == sum(r[f] == verdict for r in COMMITTED for f in fields)


def test_an_experiment_is_a_heading_over_its_claims() -> None:
    lines = claims_text(COMMITTED).splitlines()
    first = COMMITTED[0]
    assert lines[:3] == [lines[0], "", f"{first['experiment']} at {first['scale']} scale"]
    assert lines[3].split()[:3] == [first["verdict"], first["verdict_corrected"], first["id"]]


def test_a_long_name_has_a_line_of_its_own_and_a_longer_one_an_ellipsis() -> None:
    record = COMMITTED[0] | {"value": 0.5, "ci_low": None, "ci_high": 1.0}
    _, _, _, name, numbers = claims_text([record | {"id": "n" * 65}]).splitlines()
    assert name.split()[2] == "n" * 65
    assert numbers.split() == ["0.5", "[?,", "1]"]
    _, _, _, name, _ = claims_text([record | {"id": "n" * 99}]).splitlines()
    assert name.endswith("n…")
    assert len(name) == COLUMNS


def test_what_stands_in_the_way_of_a_claim_is_told_below_it() -> None:
    reason = "The run lasts 0.256 of the updates that Adam's averages reach back. " * 2
    *_, numbers, first, second = claims_text([COMMITTED[0] | {"obstacle": reason}]).splitlines()
    assert COMMITTED[0]["id"] in numbers
    assert f"{first.strip()} {second.strip()}" == reason.strip()
    assert first.index("The run") == numbers.index(COMMITTED[0]["id"])
    assert max(len(first), len(second)) <= COLUMNS


def test_the_predictor_is_told_of_only_where_a_size_was_held_out() -> None:
    *_, last = COMMITTED
    assert last["id"] == "predict_covers_held_out" in claims_text(COMMITTED[-2:])
    text = claims_text([COMMITTED[0], last | {"value": None}])
    assert last["id"] not in text and COMMITTED[0]["id"] in text


def test_no_claims_are_said_to_be_none() -> None:
    assert claims_text([]) == "no claims"
