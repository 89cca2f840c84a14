"""p values invert the intervals; Holm's correction; false verdicts in simulated ledgers."""

import numpy as np
import pytest
from scipy import stats

from lrtransfer.study.evidence.significance import LEVELS, corrected, holm, p_value
from lrtransfer.transfer.intervals import Interval, t_quantile
from lrtransfer.transfer.rules import Above, Below, Within, verdict


def effects(value, error, freedom=10_000):
    return {
        level: Interval(value, value - half, value + half)
        for level in LEVELS
        for half in [float(t_quantile(1 - level, freedom)) * error]
    }


@pytest.mark.parametrize("freedom", [4, 10, 10_000])
@pytest.mark.parametrize("value", [-0.4, 0.3, 0.9, 1.05])
def test_the_p_value_is_that_of_the_t_test(value, freedom):
    expected = 2 * stats.t.sf(abs(value) / 0.3, freedom)
    found = p_value(Above(0.0), effects(value, 0.3, freedom))
    assert found == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("rule", [Above(0.1), Below(0.1), Within(-0.5, 0.6)])
@pytest.mark.parametrize("value", np.linspace(-1.2, 1.2, 13))
def test_p_below_a_level_and_a_verdict_at_it_are_the_same(rule, value):
    found = effects(value, 0.2, 8)
    p = p_value(rule, found)
    for level in (0.2, 0.05, 0.005):
        assert (p <= level) == (verdict(rule, found[level]) != "inconclusive")


def test_unknown_intervals_have_no_p_value_and_open_ones_may():
    nan = float("nan")
    assert p_value(Above(0), {}) is None
    assert p_value(Above(0), dict.fromkeys(LEVELS, Interval(1.0, nan, nan))) is None
    assert p_value(Above(0), dict.fromkeys(LEVELS)) is None
    beyond = dict.fromkeys(LEVELS, Interval(1.0, 0.5, float("inf")))
    assert p_value(Above(0), beyond) == LEVELS[-1]
    assert p_value(Below(2), beyond) == 1.0


def test_holm_is_what_its_definition_says():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def record(p, paper="super-consistency", said="supported"):
    return {"paper": paper, "p_value": p, "verdict": said}


def test_correction_keeps_firm_verdicts_and_counts_what_was_asked():
    records = [record(0.001), record(0.02, said="contradicted"), record(None, said="inconclusive")]
    found = corrected(records, 0.05)
    assert [r["verdict_corrected"] for r in found] == ["supported", "contradicted", "inconclusive"]
    assert [r["p_corrected"] for r in found] == pytest.approx([0.003, 0.04, 1.0])
    many = corrected([*records, *[record(None, said="inconclusive")] * 40], 0.05)
    assert many[0]["verdict_corrected"] == "supported"
    assert many[1]["verdict_corrected"] == "inconclusive"


def test_a_record_of_the_program_itself_is_not_of_the_family():
    found = corrected([record(0.04), record(None, paper="lrtransfer")], 0.05)
    assert found[0]["p_corrected"] == pytest.approx(0.04)
    assert (found[1]["p_corrected"], found[1]["verdict_corrected"]) == (None, "supported")


def test_forty_claims_at_their_thresholds_seldom_give_a_single_corrected_verdict():
    rng = np.random.default_rng(0)
    any_plain = any_corrected = 0
    for _ in range(200):
        ledger = []
        for z in rng.normal(size=40):
            p = float(2 * stats.norm.sf(abs(z)))
            ledger.append(record(p, said="supported" if p <= 0.05 else "inconclusive"))
        found = corrected(ledger, 0.05)
        any_plain += any(r["verdict"] == "supported" for r in ledger)
        any_corrected += any(r["verdict_corrected"] == "supported" for r in found)
    assert any_plain > 150
    assert any_corrected / 200 <= 0.08
