"""The committed measurement of the scale, and the judgement over it."""

from __future__ import annotations

import copy
import json
from typing import Any

from benchmarks.scale import SIZES, missed
from tests.tiny import ROOT

COMMITTED = ROOT / "results/benchmarks/scale.json"


def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(COMMITTED.read_text(encoding="utf-8"))["rows"]
    return rows


def test_the_committed_measurement_is_within_the_limits_at_ten_thousand_runs() -> None:
    rows = _rows()
    assert {row["runs"] for row in rows} == {10 * rates * seeds for rates, seeds in SIZES}
    assert max(row["runs"] for row in rows) == 10_000
    assert missed(rows) == []


def test_too_slow_or_too_large_a_stage_is_named() -> None:
    for field, value in (("cpu_seconds", 61.0), ("peak_mb", 2001)):
        rows = copy.deepcopy(_rows())
        rows[-1 - [row["stage"] for row in reversed(rows)].index("estimates")][field] = value
        (line,) = missed(rows)
        assert line.startswith("refit of 10000 runs")


def test_a_stage_of_which_each_run_costs_more_where_there_are_more_is_named() -> None:
    rows = _rows()
    rows[-1]["growth"] = 1.2
    (line,) = missed(rows)
    assert line == "no-op grows by the power 1.2 of the number of runs"
