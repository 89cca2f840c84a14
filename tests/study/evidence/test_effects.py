import math

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence import effects
from lrtransfer.transfer.intervals import Interval, difference
from lrtransfer.transfer.size import POOLED


def rows(**columns):
    return pd.DataFrame({"ci_low": 0.0, "ci_high": 2.0, **columns})


def test_reading_finds_the_one_row_or_nothing():
    fits = {"drift": rows(arm=["a", "b"], slope=1.0)}
    assert effects.read(fits, "drift", "slope", arm="a") == Interval(1, 0, 2)
    assert effects.read(fits, "drift", "slope", arm="c") is None
    assert effects.read(fits, "trends", "slope", arm="a") is None
    with pytest.raises(ValueError, match="2 rows of drift"):
        effects.read(fits, "drift", "slope")


def test_effects_over_sizes_are_the_pooled_ones():
    common = {"arm": "a", "quantity": "q", "size": [POOLED, 32]}
    fits = {
        "consistency": rows(**common, beta=[1.0, 9], overlap=[0.5, 9], overlap_low=0.25,
                            overlap_high=0.75),
        "edge_of_stability": rows(**common, ratio=[1.5, 9]),
        "changes": rows(**common, log2_change=[1.0, 9]),
    }  # fmt: skip
    assert effects.exponent(fits, "a", "q") == (1, 0, 2)
    assert effects.overlap(fits, "a", "q") == (0.5, 0.25, 0.75)
    assert effects.edge_ratio(fits, "a") == (1.5, 0, 2)
    assert effects.change(fits, "a", "q") == (1, 0, 2)
    assert effects.overlap(fits, "a", "other") is None


def test_drift_and_trend_name_their_row():
    fits = {
        "drift": rows(arm=["a", "b"], slope=[1.0, 1.5]),
        "trends": rows(arm="a", quantity="q", at=["start", "end"], slope=[1.0, 0.5]),
    }
    assert effects.drift(fits, "b") == (1.5, 0, 2)
    assert effects.trend(fits, "a", "q", "end") == (0.5, 0, 2)


def test_a_difference_needs_both_effects():
    one, other = Interval(1, 0, 2), Interval(3, 2, 4)
    assert effects.minus(one, other) == difference(one, other)
    assert effects.minus(one, None) is None and effects.minus(None, other) is None


def regrets(large_arms=("mup", "sp")):
    table = [
        {"arm": arm, "size": size, "from_size": 32, "regret": value, "ci_low": value - 1.0,
         "ci_high": value + 1.0}
        for arm, size, value in [("mup", 32, 0), ("sp", 32, 0), ("mup", 64, 2), ("sp", 64, 5)]
        if size == 32 or arm in large_arms
    ]  # fmt: skip
    return {"regret": pd.DataFrame(table)}


def test_extra_regret_compares_the_largest_common_net():
    found = effects.extra_regret(regrets(), "sp", "mup")
    assert found == pytest.approx((3, 3 - 2**0.5, 3 + 2**0.5))


def test_extra_regret_needs_a_net_larger_than_the_source():
    assert effects.extra_regret(regrets(large_arms=("sp",)), "sp", "mup") is None
    assert effects.extra_regret(regrets(), "ntp", "mup") is None
    assert effects.extra_regret({}, "sp", "mup") is None


def optima(high=2.0):
    table = pd.DataFrame({"arm": ["a", "a", "b", "b", "b"], "size": [32, 64, 32, 64, 128],
                          "log2_lr": [2.0, 3.0, 0.0, 0.5, 99.0]})  # fmt: skip
    table["ci_low"] = table["log2_lr"] - 1.0
    table["ci_high"] = table["log2_lr"] + [1.0, high, 1.0, 1.0, 1.0]
    return {"optima": table}


def test_optimum_shift_is_the_mean_difference_over_common_sizes():
    found = effects.optimum_shift(optima(high=1.0), "a", "b")
    assert found == pytest.approx((2.25, 2.25 - 2**0.5, 2.25 + 2**0.5))
    assert effects.optimum_shift(optima(), "a", "missing") is None
    assert effects.optimum_shift({}, "a", "b") is None


def test_a_censored_optimum_leaves_the_shift_open():
    found = effects.optimum_shift(optima(high=math.inf), "a", "b")
    assert found is not None
    assert found.high == np.inf and np.isfinite(found.low)
