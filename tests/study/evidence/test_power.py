"""What run would decide a claim, that such a run does, and how likely it is to."""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from lrtransfer.study.evidence.power import Power, decides, needed, registered_power, with_seeds
from lrtransfer.transfer.estimate import Estimate, Part, known_exactly, of_seeds
from lrtransfer.transfer.pairing import SAME_RUNS, difference
from lrtransfer.transfer.rules import Above, Below, Rule, Within

NAN = float("nan")
POSITIVE = Above(0.0)


def effect(value: float, half: float = 1.0, df: float = 2, systematic: float = 0.0) -> Estimate:
    """An estimate of three seeds with this half width at 95 % from its scatter."""
    unit = Estimate(0.0, (Part(1.0, df),)).half_width(0.05)
    return Estimate(value, (Part((half / unit) ** 2, df),), systematic=systematic)


def ask(
    own: Estimate | None,
    rule: Rule = POSITIVE,
    kind: Literal["slope", "mean", "arms"] = "mean",
    seeds: int = 3,
) -> Power:
    return needed(rule, own, kind, seeds=seeds, sizes=4, confidence=0.95)


def test_a_decided_claim_needs_nothing() -> None:
    assert ask(effect(1.0, 0.5)) == (None, None, "decided")


def test_what_hinders_is_said() -> None:
    assert "train the runs" in ask(None).text
    assert "train the runs" in ask(Estimate(NAN)).text
    for few in (of_seeds([1.0], [0]), Estimate(NAN), of_seeds([1.0, 1.1], [0, 1])):
        asked = ask(few, seeds=min(len(few.units) or 1, 2))
        assert asked.seeds == 3 and "at least 3 seeds" in asked.text
    assert "wider learning-rate grid" in ask(replace(effect(1.0), open_low=True)).text
    assert "too close" in ask(effect(0.001)).text
    same = of_seeds([1.0, 2.0, 4.0], range(3), 64)
    assert ask(difference(same, same)).text == SAME_RUNS
    assert "by definition" in ask(known_exactly(1.0)).text


def test_more_seeds_are_needed_the_closer_the_threshold() -> None:
    counts = [ask(effect(v)).seeds or 0 for v in (0.9, 0.6, 0.3)]
    assert counts == sorted(counts) and len(set(counts)) == 3


def test_sizes_help_slopes_only() -> None:
    assert ask(effect(0.2, 0.3)).sizes is None
    found = ask(effect(0.2, 0.3, df=10), kind="slope")
    assert found.sizes and found.sizes > 4
    assert f"{found.sizes} sizes instead of 4" in found.text


def test_within_counts_the_nearer_limit() -> None:
    inside = ask(effect(0.15, 0.3, df=10), Within(-0.25, 0.25))
    central = ask(effect(0.0, 0.3, df=10), Within(-0.25, 0.25))
    assert inside.seeds and central.seeds and inside.seeds > central.seeds > 3


def test_no_number_of_seeds_lessens_the_systematic_part() -> None:
    asked = ask(effect(0.15, 0.1, systematic=0.1))
    assert asked.seeds is None and "finer learning-rate grid" in asked.text
    assert ask(effect(0.15, 0.3, systematic=0.02)).seeds, "where it is small, seeds do"


@pytest.mark.parametrize(
    ("df", "expected"), [(2, 9), (4, 14), (3 * 4 - 2, 3 * 4 - 2 + 7 * 11 / 3), (math.inf, math.inf)]
)
def test_every_seed_brings_as_much_freedom_as_each_before(df: float, expected: float) -> None:
    found = with_seeds(effect(1.0, df=df), 3, 10).parts[0]
    assert found.df == pytest.approx(expected, rel=0.2)
    assert found.variance == pytest.approx(0.3 * effect(1.0, df=df).parts[0].variance)


def test_studies_with_the_seeds_named_are_mostly_decided() -> None:
    rng = np.random.default_rng(0)
    truth, scatter = 0.5, 0.5
    start = of_seeds(truth + scatter * np.array([-1.0, 0.0, 1.0]), range(3))
    count = ask(start).seeds
    assert count and start.verdict(POSITIVE, 0.95) == "inconclusive"
    for seeds, low, high in ((3, 0.0, 0.4), (count, 0.5, 1.0)):
        found = [
            of_seeds(truth + scatter * rng.normal(size=seeds), range(seeds)).verdict(POSITIVE, 0.95)
            for _ in range(400)
        ]
        assert low <= np.mean([f == "supported" for f in found]) <= high


@pytest.mark.parametrize("rule", [Above(0.0), Below(0.8), Within(-0.6, 0.6)])
@pytest.mark.parametrize(("truth", "seeds"), [(0.0, 5), (0.5, 5), (0.5, 12)])
def test_the_registered_power_is_the_share_of_studies_that_are_decided(
    rule: Rule, truth: float, seeds: int
) -> None:
    rng = np.random.default_rng(1)
    scatter, systematic = 0.5, 0.1
    pilot = Estimate(9.0, (Part(scatter**2 / 3, 2),), systematic=systematic)
    promised = registered_power(rule, truth, pilot, "mean", seeds=(3, seeds), sizes=(1, 1))
    found = []
    for _ in range(600):
        values = truth + systematic * rng.normal() + scatter * rng.normal(size=seeds)
        study = replace(of_seeds(values, range(seeds)), systematic=systematic)
        found.append(study.verdict(rule, 0.95) != "inconclusive")
    assert promised == pytest.approx(np.mean(found), abs=0.06)


def test_more_sizes_make_a_slope_likelier_to_be_decided_and_no_mean() -> None:
    pilot = Estimate(0.1, (Part(0.01, 10),), systematic=0.05)

    def power(kind: Literal["slope", "mean"], sizes: int) -> float:
        return registered_power(POSITIVE, 0.15, pilot, kind, seeds=(3, 3), sizes=(4, sizes))

    assert power("slope", 6) > power("slope", 4) + 0.2
    assert power("mean", 6) == power("mean", 4)


def test_a_distance_is_decided_on_the_scale_of_its_square() -> None:
    study = Estimate(0.1, (Part(1e-4, 4),), scale="root")
    assert decides(Below(0.25), 0.0, study, 0.95) > 0.95
    assert decides(Below(0.25), 0.25, study, 0.95) < 0.1
    with pytest.raises(ValueError, match="fisher"):
        decides(POSITIVE, 0.5, replace(study, scale="fisher"), 0.95)


def test_a_statistic_over_arms_asks_for_arms() -> None:
    half = Estimate(0.0, (Part(1.0, math.inf),)).half_width(0.05)
    asked = ask(Estimate(0.4, (Part((0.5 / half) ** 2, math.inf),)), kind="arms")
    assert asked == (None, None, "would be decided by about 1.6 times as many arms")
    assert "more than 10 times" in ask(effect(0.01, 0.5), kind="arms").text
