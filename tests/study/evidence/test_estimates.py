"""The table of estimates: what is stored, read back and shown."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrtransfer.study.evidence.estimates import (
    SCHEMA,
    Estimates,
    Of,
    Row,
    courses_table,
    estimate_of,
    table,
)
from lrtransfer.transfer.estimate import Estimate, Part, Unit, of_seeds
from lrtransfer.transfer.size import POOLED

OPTIMUM = of_seeds([1.0, 2.0, 4.0], [5, 6, 7], 64)
CORRELATION = Estimate(0.5, (Part(0.1, math.inf),), scale="fisher", units=(Unit(-1, 0, 0.4),) * 7)


def of(arm: str, size: int, **fields: object) -> Of:
    return Of(statistic="optimum", unit="octaves", arm=arm, size=size, fixed=3, **fields)  # type: ignore[arg-type]


ROWS: list[Row] = [
    (of("mup", 64, at="high"), OPTIMUM),
    (of("mup", 32), Estimate(0.25)),
    (of("mup", POOLED, n_sizes=2), Estimate(1.0, (Part(0.04, 2),), 0.3, open_high=True)),
    (of("sp", 32, rate=0.5, note="why"), Estimate(math.nan)),
    (Of(statistic="rank_correlation", unit="1", quantity="ntk"), CORRELATION),
]


@pytest.fixture
def estimates() -> Estimates:
    return Estimates(table("planted", ROWS).to_pandas())


def test_the_table_has_the_schema_also_without_rows() -> None:
    assert table("planted", ROWS).schema == SCHEMA
    empty = table("planted", [])
    assert empty.schema == SCHEMA and len(empty) == 0
    assert Estimates(empty.to_pandas()).one("optimum") is None


def test_every_row_gives_back_its_estimate(estimates: Estimates) -> None:
    for (_, row), (place, estimate) in zip(estimates.frame.iterrows(), ROWS, strict=True):
        named = {name: row[name] for name in vars(place)}
        np.testing.assert_equal(named, vars(place))
        back = estimate_of(row)
        assert (back.units, back.scale) == (estimate.units, estimate.scale)
        np.testing.assert_equal(back.interval(0.9), estimate.interval(0.9))
    assert set(estimates.frame["experiment"]) == {"planted"}
    assert estimates.frame["n_seeds"].tolist() == [3, 0, 0, 0, 0], "units of arms are no seeds"


def test_a_file_keeps_the_table(tmp_path: Path, estimates: Estimates) -> None:
    pq.write_table(table("planted", ROWS), tmp_path / "planted.parquet")
    read = pq.read_table(tmp_path / "planted.parquet")
    assert read.equals(table("planted", ROWS)) or read.schema == SCHEMA
    back = Estimates(read.to_pandas()).one("optimum", arm="mup", size=64)
    assert back == estimates.one("optimum", arm="mup", size=64) == OPTIMUM


def test_one_row_is_found_none_is_none_and_several_are_refused(estimates: Estimates) -> None:
    assert estimates.one("optimum", arm="mup", size=64) == OPTIMUM
    assert estimates.one("optimum", arm="ntp") is None
    assert estimates.one("regret") is None
    with pytest.raises(ValueError, match="3 rows of optimum match"):
        estimates.one("optimum", arm="mup")


def test_sizes_are_ascending_without_the_pooled_one(estimates: Estimates) -> None:
    assert estimates.sizes("optimum", "mup") == [32, 64]
    assert estimates.sizes("optimum", "ntp") == []


def test_limits_are_shown_at_the_confidence_asked_for(estimates: Estimates) -> None:
    for confidence in (0.8, 0.95):
        rows = estimates.shown("optimum", confidence, arm="mup").set_index("size")
        limits = tuple(rows.loc[64, ["value", "ci_low", "ci_high"]])
        assert limits == pytest.approx(OPTIMUM.interval(confidence))
        assert np.isnan(rows.loc[32, ["ci_low", "ci_high"]].astype(float)).all()
        assert rows.loc[POOLED, "ci_high"] == math.inf
    assert list(estimates.shown("regret", 0.95).columns[-2:]) == ["ci_low", "ci_high"]
    assert "ci_low" not in estimates.frame.columns, "nothing stored depends on a confidence"


def test_courses_have_a_step_beside_each_row() -> None:
    found = courses_table("planted", ((step, ROWS[0]) for step in (1, 8, 64)))
    assert found.schema == SCHEMA.append(pa.field("step", pa.int64()))
    assert found["step"].to_pylist() == [1, 8, 64]
    assert courses_table("planted", []).schema == found.schema


def test_an_experiment_s_arms_axis_and_extent_are_those_of_its_rows() -> None:
    def sweep(arm: str, size: int, seeds: int, axis: str = "width") -> Row:
        place = Of(statistic="best_rate", unit="1", arm=arm, size=size, axis=axis)
        return place, of_seeds([1.0] * seeds, range(seeds))

    rows = [sweep("a", 32, 3), sweep("a", 64, 2), sweep("b", 32, 3)]
    own = Estimates(table("planted", [*rows, ROWS[-1]]).to_pandas())
    assert (own.arms, own.axis, own.extent) == ({"a", "b"}, "width", (2, 2))
    deep = Estimates(table("planted", [sweep("a", 4, 2, "depth"), ROWS[-1]]).to_pandas())
    assert deep.axis == "depth"
