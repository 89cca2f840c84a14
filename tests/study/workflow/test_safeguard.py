"""What was verified stays verified, and every kind of run vouches for what is adopted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.seal import read_sealed
from lrtransfer.study.storage.tables import write_table
from lrtransfer.study.workflow import safeguard
from lrtransfer.study.workflow.care import Candidate, sample, study_status
from lrtransfer.study.workflow.safeguard import check_results
from tests.tiny import tiny_grid, tiny_params, tiny_plan


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return a plan whose runs all have a sealed file below the working folder."""
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan()
    for run in plan.runs:
        about = {"config": run.config.to_json(), "code": run.code, "status": "ok"}
        write_table(Layout().run(run.key), pa.table({"loss": [1.0]}), about)
    return plan


def test_a_narrower_selection_forgets_no_verified_file(
    stored: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def reading(path: Path) -> Any:
        read.append(path)
        return read_sealed(path)

    monkeypatch.setattr(safeguard, "read_sealed", reading)
    assert check_results(stored, Layout()).sound == len(read) == len(stored.runs)
    narrow = replace(stored, sweeps=stored.sweeps[:1])
    assert check_results(narrow, Layout()).sound == len(narrow.runs)
    changed, gone = (Layout().run(run.key) for run in stored.runs[-2:])
    changed.touch()
    gone.unlink()
    read.clear()
    assert check_results(stored, Layout()).sound == len(stored.runs) - 1
    assert read == [changed]


def test_a_run_of_another_depth_is_a_new_run_and_no_stale_one(stored: Plan) -> None:
    content = tiny_params()
    tiny_grid(content)["depths"] = [2]
    deeper = tiny_plan(content)
    found = study_status(deeper, Layout(), deeper)
    assert found.missing == {"never trained": len(deeper.runs)}
    assert found.unasked == len(stored.runs)


def test_every_branch_that_a_configuration_takes_has_runs_that_vouch_for_it() -> None:
    run = tiny_plan().runs[0]
    options = run.config.model.options
    branches = [options, options | {"activation": "relu"}, options | {"skip": 0.5}]
    candidates = [
        Candidate(replace(run, config=replace(run.config, seed=seed, model=model)), "", {})
        for model in (replace(run.config.model, options=branch) for branch in branches)
        for seed in range(10)
    ]
    chosen = sample(candidates, size=2, seed=0)
    activations = [c.run.config.model.options["activation"] for c in chosen]
    assert sorted(activations) == ["relu", "relu", "tanh", "tanh"], "another number is no branch"
