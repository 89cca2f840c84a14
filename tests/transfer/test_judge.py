"""What is said of tables that are not ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from lrtransfer.transfer.judge import Judgement, judge
from lrtransfer.transfer.roles import JudgeError

from .tables import sweep_table, two_axis_table

COLUMNS: dict[str, Any] = {
    "size": "width",
    "rate": "lr",
    "loss": "loss",
    "seed": "seed",
    "arm": "method",
}
TABLE = sweep_table({"stays": 0.0, "falls": -0.5})


@pytest.fixture(scope="module")
def judged() -> Judgement:
    return judge(TABLE, **COLUMNS)


def test_the_frames_have_the_columns_of_the_contract(judged: Judgement) -> None:
    limits = ["value", "ci_low", "ci_high"]
    assert list(judged.optima) == ["arm", "width", "rate", *limits[1:], "loss", "n_seeds", "side"]
    assert list(judged.drift) == ["arm", "axis", *limits, "p_value", "n_sizes"]
    assert list(judged.regret) == ["arm", "width", *limits]
    assert list(judged.laws) == ["arm", "term", *limits]
    found = judged.predict(width=1024)
    assert list(found) == ["arm", "width", "rate", "ci_low", "ci_high", "refused"]


def test_known_drifts_lie_in_their_intervals(judged: Judgement) -> None:
    for arm, true in (("stays", 0.0), ("falls", -0.5)):
        row = judged.drift.set_index("arm").loc[arm]
        assert row.ci_low < true < row.ci_high
        assert row.ci_high - row.ci_low < 0.3
        assert row.n_sizes == 4
    assert judged.drift.set_index("arm").p_value["falls"] < 1e-4
    assert judged.drift.set_index("arm").p_value["stays"] > 0.05


def test_an_optimum_and_what_its_neglect_costs_are_found(judged: Judgement) -> None:
    optima = judged.optima.set_index(["arm", "width"])
    assert optima.rate["falls", 64] == pytest.approx(2**-3, rel=0.1)
    assert optima.rate["falls", 512] == pytest.approx(2**-4.5, rel=0.1)
    regret = judged.regret.set_index(["arm", "width"]).loc[("falls", 512)]
    assert regret.ci_low < 0.1 * 1.5**2 < regret.ci_high
    assert judged.regret.set_index(["arm", "width"]).value["falls", 64] == 0


def test_a_prediction_holds_and_one_too_far_says_what_would_help(judged: Judgement) -> None:
    found = judged.predict(width=[1024, 2**20]).set_index(["arm", "width"])
    near, far = found.loc[("falls", 1024)], found.loc[("falls", 2**20)]
    assert near.ci_low < 2**-5 < near.ci_high
    assert near.refused == ""
    assert np.isnan(far.rate)
    assert "sweep width" in far.refused


def test_the_text_says_it_in_words(judged: Judgement) -> None:
    text = " ".join(str(judged).split())
    assert text.startswith("240 runs, 2 arms, 4 sizes of width (64 to 512), 10 rates, 3 seeds.")
    assert "falls: - The best rate falls with width: -0.5" in text
    assert "stays: - No change of the best rate with width is seen" in text
    assert "At width 512 the best rate of width 64 costs 0.2" in text


def test_an_accuracy_is_maximised() -> None:
    accuracy = TABLE.assign(loss=1 - TABLE.loss)
    found = judge(accuracy, **COLUMNS, maximize=True)
    assert found.optima.loss.between(-1.1, -0.9).all()
    assert (found.optima.side == "inside").all()
    assert found.regret.value.max() > 0.1


@pytest.mark.parametrize("level", [-2.0, -5.0], ids=["at zero", "negative"])
def test_losses_may_have_any_sign(level: float) -> None:
    shifted = judge(TABLE.assign(loss=TABLE.loss + level), **COLUMNS).drift.set_index("arm")
    assert shifted.value["falls"] == pytest.approx(-0.5, abs=0.1)


def test_diverged_runs_end_the_valley_however_they_are_told(judged: Judgement) -> None:
    high = TABLE.lr > 0.3
    infinite = judge(TABLE.assign(loss=TABLE.loss.mask(high, np.inf)), **COLUMNS)
    state = np.where(high, "crashed", "done")
    told = judge(TABLE.assign(state=state), **COLUMNS, status=("state", ["crashed", "failed"]))
    ok = judge(TABLE.assign(state=np.where(high, "exploded", "ok")), **COLUMNS, status="state")
    empty = judge(TABLE.assign(loss=TABLE.loss.mask(high)), **COLUMNS)
    for other in (told, ok, empty):
        pd.testing.assert_frame_equal(infinite.optima, other.optima)
    assert "144 runs without a loss: taken as diverged" not in str(told)
    assert "without a loss: taken as diverged" in str(empty)
    assert "diverged" in str(infinite)


def test_an_empty_loss_of_a_run_that_did_not_fail_is_missing() -> None:
    gone = TABLE.index % 17 == 3
    table = TABLE.assign(loss=TABLE.loss.mask(gone), state="ok")
    found = judge(table, **COLUMNS, status="state")
    pd.testing.assert_frame_equal(found.optima, judge(TABLE[~gone], **COLUMNS).optima)
    assert f"{gone.sum()} runs without a loss that did not fail: taken as missing" in str(found)


def test_a_valley_open_at_an_end_says_which_rates_to_run() -> None:
    found = judge(TABLE[TABLE.lr < 0.1], **COLUMNS)
    row = found.optima.set_index(["arm", "width"]).loc[("stays", 64)]
    assert row.side == "high"
    assert row.ci_high == np.inf
    assert "At width 64 the highest rate is the best" in " ".join(str(found).split())
    assert "Run 0.125 and 0.25." in " ".join(str(found).split())
    assert "extend the grid" in found.predict(width=1024).refused[1]


def test_one_size_one_seed_and_an_arm_that_never_trains_are_told() -> None:
    one = judge(TABLE[(TABLE.width == 64) & (TABLE.seed == 0)], **COLUMNS)
    text = " ".join(str(one).split())
    assert np.isnan(one.drift.value).all()
    assert "One width (64): 128 and 256 would tell" in text
    assert "One seed" in text
    dead = judge(TABLE.assign(loss=TABLE.loss.mask(TABLE.method == "falls", np.inf)), **COLUMNS)
    assert set(dead.optima.side[dead.optima.arm == "falls"]) == {"none"}
    assert "every rate fails: run" in str(dead)
    assert "diverged" in dead.predict(width=1024).set_index("arm").refused["falls"]


def test_one_seed_has_finite_intervals_and_says_where_they_come_from() -> None:
    found = judge(TABLE[TABLE.seed == 0].drop(columns="seed"), **{**COLUMNS, "seed": None})
    assert np.isfinite(found.drift[["ci_low", "ci_high"]]).all(axis=None)
    assert "One seed" in str(found)


def test_several_axes_with_a_tuned_column_give_one_law() -> None:
    found = judge(two_axis_table(0), ["N", "D"], "lr", "loss", seed="seed", tuned="batch")
    laws = found.laws.set_index("term")
    for axis, true in (("N", -0.3), ("D", -0.15)):
        assert laws.ci_low[axis] < true < laws.ci_high[axis]
    assert set(found.optima.batch) <= {32, 64, 128}
    assert list(found.optima) == (
        ["arm", "N", "D", "rate", "ci_low", "ci_high", "loss", "batch", "n_seeds", "side"]
    )
    assert found.predict(N=64e7, D=64e9).refused.tolist() == [""]
    with pytest.raises(JudgeError, match="say at which D"):
        found.predict(N=64e7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "draws", [20, pytest.param(200, marks=pytest.mark.long)], ids=["part", "full"]
)
def test_exponents_of_a_two_axis_law_lie_in_their_intervals_nine_times_in_ten(draws: int) -> None:
    covered = np.zeros(2)
    for draw in range(draws):
        table = two_axis_table(draw)
        laws = judge(table, ["N", "D"], "lr", "loss", "seed", tuned=["batch"]).laws.set_index(
            "term"
        )
        for i, (axis, true) in enumerate((("N", -0.3), ("D", -0.15))):
            covered[i] += laws.ci_low[axis] <= true <= laws.ci_high[axis]
    assert (covered / draws >= 0.9 - 0.1 * (draws < 200)).all(), covered / draws


def test_axes_that_vary_together_are_named() -> None:
    found = judge(TABLE.assign(depth=TABLE.width / 32), **{**COLUMNS, "size": ["width", "depth"]})
    drift = found.drift.set_index(["arm", "axis"]).value
    assert np.isfinite(drift["falls", "width"])
    assert np.isnan(drift["falls", "depth"])
    assert "depth varies only together with other sizes" in str(found)
    on_line, off_line = (found.predict(width=1024, depth=d).iloc[0] for d in (32, 8))
    assert on_line.refused == "" and on_line.rate == pytest.approx(2**-5, rel=0.1)
    assert np.isnan(off_line.rate)
    assert "depth was swept only together with width: give depth 32 with" in off_line.refused


def test_the_reference_may_be_another_size_and_must_be_there() -> None:
    found = judge(TABLE, **COLUMNS, reference={"width": 512}).regret
    assert (found.value[found.width == 512] == 0).all()
    assert found[(found.arm == "falls") & (found.width == 64)].value.item() > 0.1
    with pytest.raises(JudgeError, match="no run has width=100; the table has width 64, 128"):
        judge(TABLE, **COLUMNS, reference={"width": 100})


@pytest.mark.slow
def test_fifty_thousand_rows_and_thousands_of_sizes() -> None:
    rng = np.random.default_rng(0)
    n, k = np.meshgrid(np.geomspace(32, 4096, 2500), np.arange(-10.0, 0.0))
    tables = []
    for seed in range(2):
        away = k + 5 + 0.3 * np.log2(n / 32) / 2 + 0.1 * rng.normal(size=n.shape)
        loss = 2 + 0.1 * away**2 + 0.01 * rng.normal(size=n.shape)
        tables.append(
            pd.DataFrame({"n": n.ravel(), "lr": 2.0 ** k.ravel(), "y": loss.ravel(), "s": seed})
        )
    table = pd.concat(tables).assign(name="run of nobody", host="x")
    assert len(table) == 50_000
    found = judge(table, "n", "lr", "y", seed="s")
    assert len(found.optima) == len(found.regret) == 2500
    assert found.drift.value.item() == pytest.approx(-0.15, abs=0.005)
    assert len(str(found)) < 2000


@pytest.mark.slow
def test_many_seeds_and_rates_are_taken_together_and_told() -> None:
    rng = np.random.default_rng(0)
    sizes = np.repeat([32.0, 64.0, 128.0, 256.0], 12_500)
    octaves = rng.uniform(-8, 0, len(sizes))
    away = octaves + 5 + 0.5 * np.log2(sizes / 64) + 0.1 * rng.normal(size=len(sizes))
    table = pd.DataFrame({"n": sizes, "lr": 2.0**octaves, "y": away**2 + 0.1})
    table["id"] = [f"run {i}" for i in rng.permutation(len(table))]
    found = judge(table, "n", "lr", "y", seed="id")
    assert found.drift.value.item() == pytest.approx(-0.5, abs=0.02)
    assert "rates: those within 1/16 octave are taken together" in " ".join(str(found).split())
    assert "seeds beyond 50 are taken together" in str(found)


def test_rates_refined_far_from_the_valley_make_no_interval_narrower() -> None:
    # A valley of 0.15 x², seeds that shift it by 0.15 octaves; the true drift is 0.1.
    even = np.arange(-8.0, 1.0)
    refined = np.unique(np.concatenate([even, np.arange(-8.0, -4.9, 1 / 8)]))

    def drift(rates: npt.NDArray[np.float64], study: int) -> Any:
        random = np.random.default_rng(study)
        shifts = 0.15 * random.standard_normal((4, 3))
        noise = 0.02 * random.standard_normal((4, 3, len(refined)))
        rows = [
            {
                "width": 64 * 2**i,
                "lr": 2.0**k,
                "seed": s,
                "loss": np.exp(
                    0.15 * (k + 4 - 0.1 * i - shifts[i, s]) ** 2
                    + noise[i, s, int(np.searchsorted(refined, k))]
                ),
            }
            for i in range(4)
            for s in range(3)
            for k in rates
        ]
        table = pd.DataFrame(rows)
        return judge(table, size="width", rate="lr", loss="loss", seed="seed").drift.iloc[0]

    found = [(drift(even, study), drift(refined, study)) for study in range(12)]
    assert sum(more.ci_low <= 0.1 <= more.ci_high for _, more in found) >= 11
    halves = [(more.ci_high - more.ci_low) / (few.ci_high - few.ci_low) for few, more in found]
    assert 0.7 < np.median(halves) < 1.3


def test_a_best_rate_at_which_runs_diverged_says_so_and_which_rate_trains_all() -> None:
    table = sweep_table({"a": 0.0}).assign(method="a")
    best = judge(table, **COLUMNS).optima.set_index("width").rate[512]
    near = table[table.width == 512].lr.unique()
    near = near[np.argmin(np.abs(np.log2(near / best)))]
    lost = (table.width == 512) & (table.lr == near) & (table.seed == table.seed.iloc[0])
    text = str(judge(table.assign(loss=table.loss.where(~lost, np.inf)), **COLUMNS))
    seeds = table.seed.nunique()
    told = " ".join(text.split())
    assert f"At width 512 1 of {seeds} runs diverged at the best rate, {near:.3g}" in told
    assert "The best rate at which none did is" in told
    assert "runs diverged at the best rate" not in " ".join(str(judge(table, **COLUMNS)).split())


def test_a_seed_is_one_whether_written_as_a_whole_number_or_not() -> None:
    table = TABLE[TABLE.method == "falls"]
    twice = pd.concat([table, table.assign(seed=table.seed.astype(float))]).astype({"seed": object})
    twice["seed"] = [int(s) if i < len(table) else float(s) for i, s in enumerate(twice.seed)]
    assert judge(twice, **COLUMNS).optima.n_seeds.eq(table.seed.nunique()).all()
    long = table.assign(seed=table.seed + 2**60)
    assert judge(long, **COLUMNS).optima.n_seeds.eq(table.seed.nunique()).all()


def test_two_observations_decide_nothing_in_words_either() -> None:
    table = TABLE[(TABLE.method == "falls") & TABLE.width.isin([64, 512]) & (TABLE.seed == 0)]
    told = " ".join(str(judge(table, **COLUMNS)).split())
    assert "of too few runs to decide anything" in told
    assert "The best rate falls" not in told


def test_states_that_are_neither_failures_nor_ends_are_counted() -> None:
    table = TABLE.assign(State="finished")
    table.loc[table.index[:3], "State"] = "running"
    told = judge(table, **COLUMNS, status=("State", ["failed"]))
    assert "taken as finished by 'State': 'running' (3)" in " ".join(str(told).split())
    whole = judge(TABLE.assign(State="finished"), **COLUMNS, status=("State", ["failed"]))
    assert "taken as finished" not in str(whole)


def test_of_bounds_no_law_and_no_cost_are_told() -> None:
    table = TABLE[TABLE.method == "falls"]
    below = table[table.lr <= 2.0**-6]
    told = " ".join(str(judge(below, **COLUMNS)).split())
    assert "Whether the best rate moves with width cannot be told" in told
    assert "Law:" not in told and "the best rate of width 64 costs" not in told


def test_sizes_that_differ_by_rounding_are_one() -> None:
    table = TABLE.assign(width=TABLE.width * (1 + 1e-6 * np.arange(len(TABLE)) / len(TABLE)))
    found = judge(table, **COLUMNS)
    assert len(found.optima) == len(judge(TABLE, **COLUMNS).optima)
    assert "values of width are within 0.07 % of another" in " ".join(str(found).split())
