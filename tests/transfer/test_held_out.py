"""The predictor's tables, and the ledger's record of its hold-outs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.transfer.held_out import (
    COLUMNS,
    FORECAST_COLUMNS,
    LAW_COLUMNS,
    coverage_record,
    forecast,
    forecasts,
    held_out,
    share_interval,
    transfer_laws,
)
from lrtransfer.transfer.sweeps import Sweep, sweeps

from .frames import Place, make_runs, parabola

SIZES = (32, 64, 128, 256)


def table(optimum: Place, **options: Any) -> list[Sweep]:
    settings = {"grid": range(-6, 7), "sizes": SIZES, **options}
    return list(sweeps(make_runs(parabola(optimum), **settings)))


def steady(size: int, seed: int) -> float:
    return 0.05 * (seed - 1)


def jumping(size: int, seed: int) -> float:
    return (3.0 if size == 256 else 0.0) + 0.05 * (seed - 1)


def test_the_largest_size_is_predicted_from_the_others_and_judged() -> None:
    good, bad = (held_out(table(f), 0.95).iloc[0] for f in (steady, jumping))
    assert (good["size"], good["n_fitted"], good["covered"]) == (256, 3, 1)
    assert good["predicted"] == pytest.approx(0, abs=0.05)
    assert good["regret_covered"] == 1
    assert (bad["covered"], bad["regret_covered"]) == (0, 0)
    assert bad["measured"] == pytest.approx(3, abs=0.05)


def test_a_refusal_says_why_and_covers_nothing() -> None:
    row = held_out(table(steady, sizes=SIZES[:3]), 0.95).iloc[0]
    assert "2 sizes" in row["refused"]
    assert pd.isna(row["covered"])


def test_a_held_out_optimum_at_the_edge_is_not_judged() -> None:
    row = held_out(table(lambda size, seed: 9.0 if size == 256 else 0.1 * seed), 0.95).iloc[0]
    assert "end of its grid" in row["refused"]


def test_forecasts_go_one_octave_further_and_to_the_end_of_the_reach() -> None:
    rows = forecast(table(steady), 0.95)
    assert rows["size"].tolist() == [512, 2048]
    assert (rows["ci_high"] - rows["ci_low"]).is_monotonic_increasing
    assert rows["refused"].tolist() == ["", ""]


def test_the_law_is_listed_with_its_limits() -> None:
    row = transfer_laws(table(lambda n, seed: 0.5 * np.log2(n) + 0.05 * seed - 3), 0.95).iloc[0]
    assert row["slope"] == pytest.approx(0.5, abs=0.01)
    assert row["ci_low"] < 0.5 < row["ci_high"]


def test_one_table_holds_all_three_kinds() -> None:
    own = table(steady)
    every = forecasts(own, 0.95)
    kinds = {
        "law": (transfer_laws(own, 0.95), LAW_COLUMNS),
        "held_out": (held_out(own, 0.95), COLUMNS),
        "forecast": (forecast(own, 0.95), FORECAST_COLUMNS),
    }
    assert list(dict.fromkeys(every["kind"])) == list(kinds)
    for kind, (alone, columns) in kinds.items():
        part = every[every["kind"] == kind].reset_index(drop=True)
        pd.testing.assert_frame_equal(part[columns], alone, check_dtype=False)
        assert part.drop(columns=["kind", *columns]).isna().all(axis=None)


def record(*tables: pd.DataFrame) -> dict[str, Any]:
    return coverage_record(tables, "laptop", 0.95)


def judged(covered: Sequence[int | None], losses: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"covered": covered, "losses": losses}, columns=COLUMNS)


def test_arms_that_share_runs_count_once_and_refused_ones_do_not() -> None:
    first = judged([1, 1, None], ["a", "b", "c"])
    second = judged([1, 0], ["a", "d"])
    found = record(first, second)
    assert found["value"] == pytest.approx(2 / 3)
    assert "3 distinct arms" in found["metric"]
    assert found["verdict"] == "inconclusive"


def test_many_covered_arms_support_and_many_missed_ones_contradict() -> None:
    names = [str(i) for i in range(40)]
    assert record(judged([1] * 40, names))["verdict"] == "supported"
    assert record(judged([0] * 40, names))["verdict"] == "contradicted"
    assert record(judged([1] * 40, names))["power"] == "decided"
    assert "arms instead of 10" in record(judged([1] * 10, names[:10]))["power"]


def test_nothing_held_out_is_undecided() -> None:
    found = record(judged([], []))
    assert (found["value"], found["verdict"]) == (None, "inconclusive")


def test_share_intervals_are_clopper_and_pearsons() -> None:
    assert share_interval(9, 10, 0.95) == pytest.approx((0.9, 0.5549839, 0.9974714))
    assert share_interval(10, 10, 0.95)[1:] == pytest.approx((0.6915029, 1.0))
    assert np.isnan(share_interval(0, 0, 0.95).value)
