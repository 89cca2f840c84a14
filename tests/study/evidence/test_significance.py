"""Holm's correction, and false verdicts in simulated ledgers."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from lrtransfer.study.evidence.significance import corrected, holm


def test_holm_is_what_its_definition_says() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
    assert holm([0.01, 0.02], among=5) == holm([0.01, 0.02, 1.0, 1.0, 1.0])[:2]


def record(
    p: float | None, family: str = "super-consistency", said: str = "supported"
) -> dict[str, Any]:
    return {"family": family, "p_value": p, "verdict": said}


def test_correction_keeps_firm_verdicts_and_counts_what_was_asked() -> None:
    records = [record(0.001), record(0.02, said="contradicted"), record(None, said="inconclusive")]
    found = corrected(records, {"super-consistency": 3}, 0.05)
    assert [r["verdict_corrected"] for r in found] == ["supported", "contradicted", "inconclusive"]
    assert [r["p_corrected"] for r in found] == pytest.approx([0.003, 0.04, 1.0])
    for more in ([record(None, said="inconclusive") for _ in range(40)], []):
        many = corrected([*records, *more], {"super-consistency": 43}, 0.05)
        assert many[0]["verdict_corrected"] == "supported"
        assert many[1]["verdict_corrected"] == "inconclusive", "registered, run or not"


def test_families_are_corrected_apart() -> None:
    records = [record(0.02), record(0.02, "cdat"), record(0.04, "cdat")]
    found = corrected(records, {"super-consistency": 1, "cdat": 3}, 0.05)
    assert [r["p_corrected"] for r in found] == pytest.approx([0.02, 0.06, 0.08])
    assert [r["family_size"] for r in found] == [1, 3, 3]


def test_more_records_than_registered_claims_are_refused() -> None:
    with pytest.raises(ValueError, match="2 records of 1 claims of the family 'cdat'"):
        corrected([record(0.1, "cdat"), record(0.2, "cdat")], {"cdat": 1}, 0.05)


def test_a_record_of_the_program_itself_is_not_of_the_family() -> None:
    own = [record(0.04), record(None, family="lrtransfer")]
    found = corrected(own, {"super-consistency": 1}, 0.05)
    assert found[0]["p_corrected"] == pytest.approx(0.04)
    assert (found[1]["p_corrected"], found[1]["verdict_corrected"]) == (None, "supported")


def test_forty_claims_at_their_thresholds_seldom_give_a_single_corrected_verdict() -> None:
    rng = np.random.default_rng(0)
    any_plain = any_corrected = 0
    for _ in range(200):
        ledger = []
        for z in rng.normal(size=40):
            p = float(2 * stats.norm.sf(abs(z)))
            ledger.append(record(p, said="supported" if p <= 0.05 else "inconclusive"))
        found = corrected(ledger, {"super-consistency": 40}, 0.05)
        any_plain += any(r["verdict"] == "supported" for r in ledger)
        any_corrected += any(r["verdict_corrected"] == "supported" for r in found)
    assert any_plain > 150
    assert any_corrected / 200 <= 0.08
