"""What run would decide a claim, and that such a run does."""

from typing import Literal

import numpy as np

from lrtransfer.study.evidence.power import Power, needed
from lrtransfer.transfer.intervals import Interval, mean_interval
from lrtransfer.transfer.rules import Above, Rule, Within, verdict

NAN, INF = float("nan"), float("inf")


POSITIVE = Above(0.0)


def ask(
    effect: Interval | None, rule: Rule = POSITIVE, kind: Literal["slope", "mean", "arms"] = "mean"
) -> Power:
    return needed(rule, effect, kind, seeds=3, sizes=4, confidence=0.95)


def test_a_decided_claim_needs_nothing() -> None:
    assert ask(Interval(1.0, 0.5, 1.5)) == (None, None, "decided")


def test_what_hinders_is_said() -> None:
    assert "train the runs" in ask(None).text
    assert ask(Interval(1.0, NAN, NAN)).seeds == 2
    assert "wider learning-rate grid" in ask(Interval(1.0, -INF, 2.0)).text
    assert "too close" in ask(Interval(0.001, -1.0, 1.002)).text


def test_more_seeds_are_needed_the_closer_the_threshold() -> None:
    counts = [ask(Interval(v, v - 1, v + 1)).seeds or 0 for v in (0.9, 0.6, 0.3)]
    assert counts == sorted(counts) and len(set(counts)) == 3


def test_sizes_help_slopes_only() -> None:
    effect = Interval(0.2, -0.1, 0.5)
    assert ask(effect).sizes is None
    found = ask(effect, kind="slope")
    assert found.sizes and found.sizes > 4
    assert f"{found.sizes} sizes instead of 4" in found.text


def test_within_counts_the_nearer_limit() -> None:
    inside = ask(Interval(0.15, -0.15, 0.45), Within(-0.25, 0.25))
    central = ask(Interval(0.0, -0.3, 0.3), Within(-0.25, 0.25))
    assert inside.seeds > central.seeds > 3


def test_studies_with_the_seeds_named_are_mostly_decided() -> None:
    rng = np.random.default_rng(0)
    truth, scatter = 0.5, 0.5
    start = mean_interval(truth + scatter * np.array([-1.0, 0.0, 1.0]), 0.95)
    count = ask(start).seeds
    assert verdict(Above(0.0), start) == "inconclusive"
    for seeds, low, high in ((3, 0.0, 0.4), (count, 0.6, 1.0)):
        found = [
            verdict(Above(0.0), mean_interval(truth + scatter * rng.normal(size=seeds), 0.95))
            for _ in range(400)
        ]
        assert low <= np.mean([f == "supported" for f in found]) <= high


def test_a_statistic_over_arms_asks_for_arms() -> None:
    asked = ask(Interval(0.4, -0.1, 0.9), kind="arms")
    assert asked == (None, None, "would be decided by about 1.6 times as many arms")
    assert "more than 10 times" in ask(Interval(0.01, -0.5, 0.5), kind="arms").text
