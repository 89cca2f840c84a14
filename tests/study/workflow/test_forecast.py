"""The time left: prices, corrected by what the runs of this call took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.workflow.forecast import Forecast, forecast
from lrtransfer.study.workflow.targets import Targets
from tests.tiny import tiny_plan

PRICES = {"a": 10.0, "b": 20.0, "c": 30.0}


def _trained(journal: Path, key: str, seconds: float) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"key": key, "seconds": seconds}) + "\n")


def test_it_begins_with_the_prices_and_is_corrected_by_what_runs_took(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    _trained(journal, "a", 1e6)
    found = Forecast(PRICES, PRICES, journal)
    assert found.seconds_left() == 60, "what an earlier call took does not count"
    _trained(journal, "a", 30.0)
    assert found.seconds_left() == pytest.approx(3 * (20 + 30))
    _trained(journal, "c", 10.0)
    assert found.seconds_left() == pytest.approx(20 * (30 + 10) / (10 + 30))
    _trained(journal, "b", 10.0)
    assert (found.seconds_left(), found.trained) == (0, 3)


def test_a_run_without_a_price_costs_what_the_others_do(tmp_path: Path) -> None:
    assert Forecast([*PRICES, "d"], PRICES, tmp_path / "none").seconds_left() == 80


def test_without_prices_nothing_is_said_until_a_run_was_measured(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    found = Forecast(PRICES, {}, journal)
    assert found.seconds_left() is None
    _trained(journal, "a", 7.0)
    assert found.seconds_left() == 2 * 7


def test_half_a_line_and_a_damaged_one_are_left_out(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    found = Forecast(PRICES, PRICES, journal)
    journal.write_text('[]\n{"key": "c"}\nnothing\n{"key": "a", "sec')
    assert found.seconds_left() == 60
    with journal.open("a") as file:
        file.write('onds": 20}\n')
    assert found.seconds_left() == 2 * (20 + 30)


def test_it_falls_as_time_passes_to_a_half_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    found = Forecast(PRICES, PRICES, tmp_path / "none")
    now += 10
    assert found.seconds_left(at_once=2) == 60 - 20
    now += 1000
    assert found.seconds_left(at_once=2) == 30


@pytest.mark.parametrize("runs_per_job", [None, 1])
def test_only_the_runs_of_the_jobs_that_are_to_run_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs_per_job: int | None
) -> None:
    monkeypatch.chdir(tmp_path)
    targets = Targets(tiny_plan(), Layout(), runs_per_job)
    jobs = {
        f"train_{rule.name}": len(rule.keys) or len(targets.plan.runs)
        for rule in targets.train_rules()
    }
    own = {rule.name: rule.keys for rule in targets.train_rules() if rule.keys}
    every = dict.fromkeys(run.key for run in targets.plan.runs)
    common = len(every) - sum(map(len, own.values()))
    rules = {name: common if name == "train_run" else 1 for name in jobs}
    found = forecast(targets, rules)
    assert found is not None
    assert found.waiting.keys() == every.keys()
    name, keys = next(iter(own.items()))
    part = forecast(targets, {f"train_{name}": 1})
    assert part is not None
    assert part.waiting.keys() == set(keys)
    if common:
        assert forecast(targets, {"train_run": common - 1}) is None, "which is not known"
