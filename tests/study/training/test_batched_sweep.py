"""Jobs whose runs train as one: the same files, resumed after any interruption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.study.plan import parts
from lrtransfer.study.plan.expand import Run
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.training import sweep
from lrtransfer.study.training.batched import BatchedRuns
from lrtransfer.study.training.distributed.replicated_run import check_settings
from lrtransfer.study.training.sweep import Job, StoppedError, train_runs
from tests.tiny import store_blobs, tiny_grid, tiny_params, tiny_plan

LAYOUT = Layout()
JOB = Job(LAYOUT, torch.device("cpu"))


@pytest.fixture(autouse=True)
def study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for dataset in {run.config.data for run in tiny_plan().runs}:
        store_blobs(dataset)


def runs(batched: int | None = 16, optimizer: Any = "adam") -> tuple[Run, ...]:
    """Return one sweep: 3 rates × 2 seeds, the middle rate measured."""
    content = tiny_params()
    tiny_grid(content)["optimizer"] = optimizer
    if batched is not None:
        tiny_grid(content)["batched"] = batched
    return tiny_plan(content).sweeps[0].runs


def losses(run: Run) -> list[float]:
    table, about = read_run(LAYOUT.run(run.key), run.key)
    assert about["config"] == run.config.to_json()
    found: list[float] = table["loss"].to_pylist()
    return found[1:]  # step 0 has none


def stop_at(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the job be asked to stop after so many updates of a batch."""
    execute = BatchedRuns.execute

    def interrupted(batch: BatchedRuns, after_step: Callable[[int], None]) -> Any:
        def asked(step: int) -> None:
            if step == steps:
                monkeypatch.setattr(sweep._StopSignal, "requested", True)
            after_step(step)

        return execute(batch, asked)

    monkeypatch.setattr(BatchedRuns, "execute", interrupted)


def test_runs_that_measure_train_by_themselves() -> None:
    assert {run.measured: run.config.batched for run in runs()} == {True: None, False: 16}


def test_a_sweep_is_published_as_one_by_one() -> None:
    assert train_runs(runs(), JOB) == 6
    together = [losses(run) for run in runs()]
    plain = runs(batched=None)
    assert {run.key for run in plain} & {run.key for run in runs()} == {
        run.key for run in runs() if run.measured
    }
    train_runs(plain, JOB)
    for own, run in zip(together, plain, strict=True):
        assert own == pytest.approx(losses(run), rel=1e-4)


def test_no_more_runs_train_at_once_than_the_grid_says(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    execute = BatchedRuns.execute

    def noted(batch: BatchedRuns, after_step: Callable[[int], None]) -> Any:
        sizes.append(len(batch.runs))
        return execute(batch, after_step)

    monkeypatch.setattr(BatchedRuns, "execute", noted)
    assert train_runs(runs(batched=3), JOB) == 6
    assert sizes == [3, 1]


@pytest.mark.parametrize("optimizer", ["adam", {"sgd": {"momentum": 0.9}}, "lion"])
def test_a_job_that_was_stopped_goes_on_bit_equal(
    monkeypatch: pytest.MonkeyPatch, optimizer: Any
) -> None:
    own = runs(optimizer=optimizer)
    train_runs(own, JOB)
    whole = [losses(run) for run in own]
    for path in [*Path(".lrtransfer").rglob("run.parquet"), *map(LAYOUT.run, (r.key for r in own))]:
        path.unlink()
    with monkeypatch.context() as patched:
        stop_at(3, patched)
        with pytest.raises(StoppedError, match="stopped at step 3; their states are saved"):
            train_runs(own, JOB)
    assert train_runs(own, JOB) == 6
    assert [losses(run) for run in own] == whole


def test_states_of_different_steps_go_on_each_from_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a job leaves them that is killed while it saves."""
    train_runs(runs(), JOB)
    whole = [losses(run) for run in runs()]
    for path in Path(".lrtransfer").rglob("run.parquet"):
        path.unlink()
    with monkeypatch.context() as patched:
        stop_at(2, patched)
        with pytest.raises(StoppedError):
            train_runs(runs(), JOB)
    first = next(run for run in runs() if not run.measured)
    (LAYOUT.work_run(first.key) / "state.safetensors").unlink()
    train_runs(runs(), JOB)
    assert [losses(run) for run in runs()] == [pytest.approx(own, rel=1e-6) for own in whole]


def test_several_processes_per_run_are_refused() -> None:
    config = next(run for run in runs() if not run.measured).config
    with pytest.raises(ValueError, match=r"batched is 16, .*processes_per_run is 2"):
        check_settings(config, 2)
    check_settings(replace(config, batched=None), 2)


def test_a_job_refuses_to_go_without_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(parts.TABLE, "batched")
    own = [run for run in runs(batched=None) if not run.measured]
    batched = [replace(run, config=replace(run.config, batched=8)) for run in own]
    with pytest.raises(LookupError, match=r"the part 'batched', .*study/plan/parts\.py"):
        train_runs(batched, JOB)
