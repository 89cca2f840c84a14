"""Tables with faults, and tables that say the same in other ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lrtransfer as lt
from lrtransfer.transfer.judge import Judgement, judge
from lrtransfer.transfer.roles import JudgeError
from lrtransfer.transfer.table import _merged

from .tables import sweep_table

COLUMNS: dict[str, Any] = {
    "size": "width",
    "rate": "lr",
    "loss": "loss",
    "seed": "seed",
    "arm": "method",
}
TABLE = sweep_table({"one": 0.0, "two": -0.5}, sizes=(64, 128), grid=range(-6, 0), seeds=(0, 1))
PLAIN: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def put(column: str, value: object, row: int = 7) -> pd.DataFrame:
    cells = TABLE[column].to_list()
    cells[row] = value
    return TABLE.assign(**{column: pd.Series(cells, dtype=object)})


@pytest.mark.parametrize(
    ("table", "changed", "words"),
    [
        (TABLE, {"size": "widht"}, ["no column 'widht'", "did you mean 'width'", "It has: method"]),
        (TABLE, {"size": ()}, ["size names no column"]),
        (TABLE, {"loss": "lr"}, ["'lr' is given two roles"]),
        (TABLE, {"confidence": 95}, ["confidence lies between 0 and 1"]),
        (TABLE, {"reference": {"depth": 3}}, ["'depth' is no size of this table; it has width"]),
        (TABLE, {"status": ("method", 3)}, ["status is a column or"]),
        (TABLE.assign(state="done"), {"status": "state"}, ["'state' holds no `ok`", "'done'"]),
        (TABLE.iloc[:0], {}, ["no rows"]),
        (TABLE.assign(loss=np.nan, state="ok"), {"status": "state"}, ["no run is left"]),
        (put("lr", 0), {}, ["'lr'", "positive", "0 in row 7"]),
        (put("lr", "fast"), {}, ["'lr'", "'fast' in row 7"]),
        (put("width", -64), {}, ["'width'", "-64 in row 7"]),
        (put("width", None), {}, ["'width'", "None in row 7"]),
        (put("loss", "OOM"), {}, ["'loss'", "'OOM' in row 7", "status"]),
        (put("method", None), {}, ["'method' has an empty cell", "row 7"]),
        (put("lr", pd.Timestamp("2026-01-01")), {}, ["'lr'", "in row 7"]),
        (TABLE.drop(columns="seed"), {"seed": None}, ["rows 0 and 1 have the same"]),
        (TABLE.rename(columns={"width": "rate"}), {"size": "rate"}, ["'rate'", "rename it"]),
        (TABLE.assign(width2=1).set_axis([*TABLE, "loss"], axis=1), {}, ["2 columns are called"]),
        ("nowhere.csv", {}, ["nowhere.csv is not there"]),
        (3.5, {}, ["this is no table"]),
    ],
)  # fmt: skip
def test_a_bad_table_is_refused_with_column_and_remedy(
    table: object, changed: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(JudgeError) as refused:
        judge(table, **{**COLUMNS, **changed})
    for word in words:
        assert word in str(refused.value)


def test_thousands_of_arms_are_no_settings_to_compare() -> None:
    table = pd.DataFrame({"width": 64, "lr": 0.1, "loss": 1.0, "run": range(3000)})
    with pytest.raises(JudgeError, match="'run' holds 3,000 different values"):
        judge(table, "width", "lr", "loss", arm="run")


def test_a_wide_table_is_refused_with_the_line_that_mends_it() -> None:
    table = TABLE[(TABLE.seed == 0) & (TABLE.method == "one")]
    wide = table.pivot(index="width", columns="lr", values="loss").reset_index()
    with pytest.raises(JudgeError, match=r"table\.melt") as refused:
        judge(wide, "width", "lr", "loss")
    assert """melt(id_vars=['width'], var_name="lr", value_name="loss")""" in str(refused.value)
    long = wide.melt(id_vars=["width"], var_name="lr", value_name="loss")
    expected = judge(table, "width", "lr", "loss").optima
    pd.testing.assert_frame_equal(judge(long, "width", "lr", "loss").optima, expected)
    kept = ["width", "method", "seed"]
    wide = TABLE.pivot(index=kept, columns="lr", values="loss").reset_index()
    with pytest.raises(JudgeError, match=r"melt\(id_vars=\['width', 'seed', 'method'\]"):
        judge(wide, **COLUMNS)


def test_repeated_rows_are_dropped_and_told_but_contradictory_ones_are_refused() -> None:
    twice = pd.concat([TABLE, TABLE.iloc[3:6]], ignore_index=True)
    found = judge(twice, **COLUMNS)
    pd.testing.assert_frame_equal(found.optima, judge(TABLE, **COLUMNS).optima)
    assert "3 rows repeat another one" in str(found)
    twice["loss"] += 0.5 * (twice.index == len(TABLE))
    with pytest.raises(JudgeError, match=rf"rows 3 and {len(TABLE)} have the same settings"):
        judge(twice, **COLUMNS)


def test_seeds_that_name_every_run_anew_count_as_repetitions() -> None:
    told = judge(TABLE.assign(seed=[f"run-{i}" for i in range(len(TABLE))]), **COLUMNS)
    assert set(told.optima.n_seeds) == {2}
    assert "most seeds of 'seed' are used at one rate alone" in str(told)


def test_a_seed_that_comes_twice_by_chance_is_no_repetition() -> None:
    anew = np.arange(len(TABLE))
    for width in TABLE.width.unique():
        first, *_, last = np.flatnonzero(TABLE.width == width)
        anew[last] = anew[first]
    told = judge(TABLE.assign(seed=anew), **COLUMNS)
    assert set(told.optima.n_seeds) == {2}
    assert np.isfinite(told.optima.loss).all() and np.isfinite(told.regret.value).all()


def test_one_more_seed_at_the_best_rate_leaves_loss_and_regret_known() -> None:
    best = TABLE.lr == 2.0**-5
    assert best.any()
    few = judge(TABLE[(TABLE.seed == TABLE.seed.min()) | best], **COLUMNS)
    assert np.isfinite(few.optima.loss).all() and np.isfinite(few.regret.value).all()


def test_repeated_labels_are_no_names_of_rows() -> None:
    again = pd.concat([TABLE, TABLE.head(1).assign(loss=9.0)])
    with pytest.raises(JudgeError, match=rf"rows 0 and {len(TABLE)} have the same"):
        judge(again, **COLUMNS)
    with pytest.raises(JudgeError, match=r"'LR'.*did you mean 'lr'"):
        judge(TABLE, **{**COLUMNS, "rate": "LR"})


def test_numbers_may_be_written_as_text_and_rates_with_rounding() -> None:
    text = TABLE.assign(lr=[f"{rate:.17g}" for rate in TABLE.lr], width=TABLE.width.astype(str))
    expected = judge(TABLE, **COLUMNS).optima
    pd.testing.assert_frame_equal(judge(text, **COLUMNS).optima, expected)
    rounded = TABLE.assign(lr=TABLE.lr * (1 + 1e-12 * (TABLE.index % 3)))
    assert np.allclose(judge(rounded, **COLUMNS).optima.rate, expected.rate, rtol=1e-9)


@pytest.mark.parametrize("rounding", [3e-8, 1e-4])
def test_rates_of_one_seed_logged_with_fewer_digits_are_the_same_rates(rounding: float) -> None:
    expected = judge(TABLE, **COLUMNS)
    rounded = TABLE.assign(lr=TABLE.lr * (1 + rounding * (TABLE.seed == 1)))
    found = judge(rounded, **COLUMNS)
    limits = ["value", "ci_low", "ci_high"]
    np.testing.assert_allclose(found.drift[limits], expected.drift[limits], atol=1e-3)
    assert "6 rates are within 0.07 % of another" in " ".join(str(found).split())


def test_rates_drawn_at_random_are_not_taken_together() -> None:
    rng = np.random.default_rng(0)
    drawn = TABLE.assign(lr=np.exp2(rng.uniform(-8, 1, len(TABLE))))
    merged = _merged(np.log2(np.sort(drawn.lr)), np.positive, 0.5)
    assert np.ptp(np.log2(np.sort(drawn.lr)) - merged) <= 0.5


def test_rows_with_a_cell_more_than_the_header_are_refused_but_r_s_labels(tmp_path: Path) -> None:
    header, *rows = TABLE.to_csv(index=False).splitlines()
    path = tmp_path / "t.csv"
    path.write_text("\n".join([header, *(row + "," for row in rows)]))
    with pytest.raises(JudgeError, match="more cells than its header: take the separator off"):
        judge(path, **COLUMNS)
    path.write_text("\n".join([header, *(f'"{i}",{row}' for i, row in enumerate(rows, 1))]))
    pd.testing.assert_frame_equal(judge(path, **COLUMNS).optima, judge(TABLE, **COLUMNS).optima)


KINDS = ("csv", "tsv", "parquet", "semicolons.csv", "tabs.csv")


def test_files_of_every_kind_say_the_same(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    TABLE.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    for separator, name in ((";", "semicolons.csv"), ("\t", "tabs.csv")):
        TABLE.to_csv(tmp_path / f"t.{name}", index=False, sep=separator)
    TABLE.to_parquet(tmp_path / "t.parquet")
    found = [judge(tmp_path / f"t.{kind}", **COLUMNS).optima for kind in KINDS]
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other)
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(JudgeError, match=r"bad\.parquet is no csv or Parquet"):
        judge(tmp_path / "bad.parquet", **COLUMNS)


def test_the_error_is_public_and_a_value_error() -> None:
    assert lt.JudgeError is JudgeError
    assert issubclass(JudgeError, ValueError)
    assert lt.judge is judge


NUMBERS = st.one_of(
    st.floats(), st.integers(-3, 10**6), st.sampled_from([64, 128, 256, 0.1, 0.2, 1e-300, 1e300])
)
CELLS = st.one_of(
    NUMBERS, st.text(max_size=3), st.none(), st.booleans(), st.sampled_from(["1e-3", "nan", "ok"])
)
GOOD = st.sampled_from([0.01, 0.03, 0.1, 0.3, 1.0])


@st.composite
def any_table(draw: st.DrawFn) -> pd.DataFrame:
    """A few rows; each column good, numeric or anything."""
    rows = draw(st.integers(0, 14))

    def column(*kinds: st.SearchStrategy[Any]) -> list[Any]:
        kind = draw(st.sampled_from(kinds))
        return draw(st.lists(kind, min_size=rows, max_size=rows))

    positive = st.floats(0, exclude_min=True, allow_infinity=False)
    sizes = st.sampled_from([64, 128, 256])
    return pd.DataFrame(
        {
            "width": column(sizes, sizes, positive, CELLS),
            "depth": column(sizes, st.just(2), positive, CELLS),
            "lr": column(GOOD, GOOD, positive, CELLS),
            "loss": column(NUMBERS, NUMBERS, GOOD, CELLS),
            "seed": column(st.integers(0, 2), st.integers(0, 99), CELLS),
            "method": column(st.sampled_from("ab"), st.just("a"), CELLS),
            "state": column(st.sampled_from(["ok", "failed"]), st.just("ok"), CELLS),
            "batch": column(st.sampled_from([8, 16]), st.just(1), CELLS),
        }
    )


@settings(max_examples=80, **PLAIN)
@given(
    table=any_table(),
    size=st.sampled_from(["width", ["width", "depth"]]),
    more=st.fixed_dictionaries(
        {},
        optional={
            "seed": st.just("seed"),
            "arm": st.sampled_from(["method", ["method", "batch"]]),
            "status": st.sampled_from(["state", ("state", ["failed"])]),
            "maximize": st.booleans(),
            "reference": st.just({"width": 64}),
        },
    ),
    tuned=st.booleans(),
)
def test_no_table_raises_anything_but_its_own_error(
    table: pd.DataFrame, size: Any, more: dict[str, Any], tuned: bool
) -> None:
    if tuned and "batch" not in more.get("arm", ()):
        more = more | {"tuned": "batch"}
    try:
        found = judge(table, size, "lr", "loss", **more)
        found.tables(found.predict(width=[512.0, 1e9], depth=3.0) if size != "width" else None)
        assert str(found)
    except JudgeError as refused:
        assert "\n" not in str(refused)


def numbers_of(found: Judgement) -> pd.DataFrame:
    """Everything that may not change: octaves, losses, who is where."""
    optima = found.optima.sort_values(["arm", "width"], ignore_index=True)
    drift, regret = found.drift, found.regret.sort_values(["arm", "width"], ignore_index=True)
    octaves = ["rate", "ci_low", "ci_high"]
    return pd.concat(
        [
            optima[octaves].apply(np.log2),
            optima[["loss", "n_seeds"]],
            regret[["value", "ci_low", "ci_high"]].add_prefix("regret_"),
            drift[["value", "ci_low", "ci_high", "p_value"]].add_prefix("drift_"),
        ],
        axis=1,
    )


def in_other_units(t: pd.DataFrame, factor: float) -> pd.DataFrame:
    return t.assign(width=t.width * factor)


def in_another_order(t: pd.DataFrame, factor: float) -> pd.DataFrame:
    return t.sample(frac=1, random_state=int(1000 * factor))


CHANGES: list[Callable[[pd.DataFrame, float], pd.DataFrame]] = [in_other_units, in_another_order]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
@settings(max_examples=8, **PLAIN)
@given(draw=st.integers(0, 10**6), factor=st.floats(1e-3, 1e6))
def test_units_of_size_and_the_order_of_rows_change_nothing(
    change: Callable[[pd.DataFrame, float], pd.DataFrame], draw: int, factor: float
) -> None:
    table = sweep_table({"b": -0.3, "a": 0.1}, grid=range(-7, 0), seeds=(0, 1), draw=draw)
    found, other = judge(table, **COLUMNS), judge(change(table, factor), **COLUMNS)
    pd.testing.assert_frame_equal(numbers_of(found), numbers_of(other), rtol=1e-9, atol=1e-9)


@settings(max_examples=8, **PLAIN)
@given(draw=st.integers(0, 10**6), factor=st.floats(1e-3, 1e6))
def test_units_of_rate_move_the_rates_alone(draw: int, factor: float) -> None:
    table = sweep_table({"b": -0.3}, grid=range(-7, 0), seeds=(0, 1), draw=draw)
    found = numbers_of(judge(table, **COLUMNS))
    other = numbers_of(judge(table.assign(lr=table.lr * factor), **COLUMNS))
    other[["rate", "ci_low", "ci_high"]] -= np.log2(factor)
    pd.testing.assert_frame_equal(found, other, rtol=1e-9, atol=1e-9)


def test_names_of_columns_and_arms_change_nothing() -> None:
    table = sweep_table({"a": -0.3, "b": 0.1}, seeds=(0, 1))
    renamed = table.rename(columns={"width": "d model", "lr": "η", "loss": "$L$", "seed": "#"})
    renamed = renamed.assign(method=table.method.map({"a": "1.0", "b": "2.0"}))
    other = judge(renamed, "d model", "η", "$L$", seed="#", arm="method")
    found = numbers_of(judge(table, **COLUMNS))
    renamed_optima = other.optima.rename(columns={"d model": "width"})
    assert np.allclose(np.log2(renamed_optima.rate), found.rate, rtol=1e-9, atol=1e-9)
    assert np.allclose(other.drift.value, found.drift_value.dropna(), rtol=1e-9, atol=1e-9)
