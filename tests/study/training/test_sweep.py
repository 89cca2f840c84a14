"""Sweeps: published whole, resumed after any interruption, trained once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan.expand import Run
from lrtransfer.study.storage.locks import LockHeldError, acquire
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.training import network, sweep
from lrtransfer.study.training.device import processor
from lrtransfer.study.training.distributed.replicas import SingleProcess
from lrtransfer.study.training.run import DIVERGENCE_INTERVAL, TrainingRun
from lrtransfer.study.training.sweep import Job, train_runs
from lrtransfer.study.training.tensors import load_tensors, save_tensors
from tests.tiny import EXPERIMENT, ROOT, store_blobs, tiny_grid, tiny_params, tiny_plan

from .sweep_job import slow_runs

LAYOUT = Layout()
JOB = Job(LAYOUT, torch.device("cpu"))


@pytest.fixture(autouse=True)
def study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty study with prepared data."""
    monkeypatch.chdir(tmp_path)
    for dataset in {run.config.data for run in tiny_plan().runs}:
        store_blobs(dataset)
    return tmp_path


def runs() -> tuple[Run, ...]:
    """Return one sweep of the tiny study: 3 rates × 2 seeds, the middle rate measured."""
    return tiny_plan().sweeps[0].runs


def published(wanted: tuple[Run, ...]) -> list[Path]:
    logs = [LAYOUT.run(run.key) for run in wanted]
    return logs + [LAYOUT.checkpoint(run.key, step) for run in wanted for step in run.checkpoints]


def science(run: Run) -> tuple[Any, ...]:
    """Return all of a published run that its key decides."""
    table, about = read_run(LAYOUT.run(run.key), run.key)
    weights = {
        (step, name): tensor.numpy().tobytes()
        for step in run.checkpoints
        for name, tensor in load_tensors(LAYOUT.checkpoint(run.key, step))[0].items()
    }
    return table, about["status"], about["diverged_step"], weights


def test_a_sweep_publishes_every_log_and_checkpoint_with_its_provenance() -> None:
    assert train_runs(runs(), JOB) == 6
    assert all(path.is_file() for path in published(runs()))
    for run in runs():
        table, about = read_run(LAYOUT.run(run.key), run.key)
        assert table["step"].to_pylist() == list(range(7))
        assert ("sharpness" in table.column_names) == run.measured
        assert (about["config"], about["code"]) == (run.config.to_json(), run.code)
        assert (about["status"], about["processor"], about["threads"]) == (
            "ok",
            processor(torch.device("cpu")),
            torch.get_num_threads(),
        )
        assert about["versions"].keys() == {"lrtransfer", "torch", "numpy"}
        assert not (LAYOUT.work_run(run.key) / "state.safetensors").exists()


def test_the_data_are_read_once_for_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def noted(dataset: str) -> Arrays:
        read.append(dataset)
        return load_arrays(dataset)

    monkeypatch.setattr(sweep, "load_arrays", noted)
    assert train_runs(runs(), JOB) == 6
    assert read == [runs()[0].config.data]


def test_a_second_call_trains_nothing_and_republishes_what_was_deleted() -> None:
    train_runs(runs(), JOB)
    before = [path.read_bytes() for path in published(runs())]
    for path in published(runs()):
        path.unlink()
    assert train_runs(runs(), JOB) == 0
    assert [path.read_bytes() for path in published(runs())] == before


def test_a_run_does_not_depend_on_the_runs_before_it() -> None:
    last = runs()[-1]
    train_runs(runs(), JOB)
    together = science(last)
    for path in Path(".lrtransfer").rglob("*.*"):
        path.unlink()
    assert train_runs([last], JOB) == 1
    assert science(last) == together


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def blank(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:30] + bytes(30) + content[60:])


@pytest.mark.parametrize("damage", [cut, blank])
@pytest.mark.parametrize("name", ["run.parquet", "2.safetensors"])
def test_a_damaged_finished_copy_is_trained_again(
    capsys: pytest.CaptureFixture[str], damage: Callable[[Path], None], name: str
) -> None:
    wanted = [run for run in runs() if run.checkpoints]
    train_runs(wanted, JOB)
    expected = science(wanted[0])
    file = LAYOUT.work_run(wanted[0].key) / name
    damage(file)
    with pytest.raises(CorruptFileError):
        science(wanted[0])
    assert train_runs(wanted, JOB) == 1
    assert science(wanted[0]) == expected
    error = capsys.readouterr().err
    assert str(file) in error
    assert "Training this run again." in error


def test_another_run_s_finished_copy_is_not_published() -> None:
    first, second = (run for run in runs() if not run.measured and run.seed == 0)
    train_runs([first], JOB)
    work = LAYOUT.work_run(second.key)
    work.mkdir(parents=True)
    (work / "run.parquet").write_bytes((LAYOUT.work_run(first.key) / "run.parquet").read_bytes())
    assert train_runs([second], JOB) == 1
    assert read_run(LAYOUT.run(second.key), second.key)[1]["config"] == second.config.to_json()


def test_a_damaged_state_is_named_and_the_run_starts_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = runs()[2]
    work = LAYOUT.work_run(run.key)
    work.mkdir(parents=True)
    (work / "state.safetensors").write_bytes(b"half a state")
    assert train_runs([run], JOB) == 1
    assert "state.safetensors" in (error := capsys.readouterr().err)
    assert "Starting this run from step 0." in error
    assert science(run)[1] == "ok"


@pytest.mark.parametrize(
    ("about", "seconds"),
    [
        ({}, "[]"),
        ({"rows": None, "step": 1, "numbers": {}}, "NaN"),
        ({"rows": [[1, 2, 3]]}, "1e999"),
    ],
)
def test_a_sealed_file_that_holds_no_state_is_named_and_the_run_starts_again(
    about: dict[str, object], seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs()[2]
    work = LAYOUT.work_run(run.key)
    save_tensors(work / "state.safetensors", {}, about | {"key": run.key})
    (work / "seconds.json").write_text(seconds, encoding="utf-8")
    assert train_runs([run], JOB) == 1
    assert "holds no state of a run. Starting this run from step 0." in capsys.readouterr().err
    assert science(run)[1] == "ok"


def test_a_finished_checkpoint_of_another_run_is_none() -> None:
    run = next(run for run in runs() if run.checkpoints)
    train_runs([run], JOB)
    kept = LAYOUT.work_run(run.key) / f"{run.checkpoints[0]}.safetensors"
    weights, about = load_tensors(kept)
    save_tensors(kept, weights, about | {"key": "another"})
    assert train_runs([run], JOB) == 1
    assert load_tensors(kept)[1] == about


def diverging_sweep() -> tuple[Run, ...]:
    """Return rates 0.1, 1000 (measured, overflows) and 0.2."""
    content = tiny_params()
    experiment, grid = content["study"][EXPERIMENT], tiny_grid(content)
    experiment["loss"] = "squared"
    experiment["model"]["residual_mlp"]["activation"] = "linear"
    experiment["arms"]["mup"] |= {"lr": [0.1, 1000.0, 0.2], "measured_at": 1000.0}
    grid["steps"] = 24
    grid["spectra"]["steps"] = [1, 2, 24]
    return tiny_plan(content).sweeps[0].runs


def test_a_diverged_run_is_published_with_placeholders_and_the_sweep_goes_on() -> None:
    wanted = diverging_sweep()
    assert train_runs(wanted, JOB) == 6
    for run in wanted:
        table, about = read_run(LAYOUT.run(run.key), run.key)
        if run.learning_rate < 1:
            assert (about["status"], about["diverged_step"], len(table)) == ("ok", None, 25)
            continue
        bad = about["diverged_step"]
        assert about["status"] == "diverged"
        assert 2 < bad < DIVERGENCE_INTERVAL
        assert len(table) == bad
        for step in run.checkpoints:
            weights, kept = load_tensors(LAYOUT.checkpoint(run.key, step))
            assert (kept["key"], kept["step"]) == (run.key, step)
            assert kept["status"] == ("ok" if step < bad else "diverged")
            assert (weights == {}) == (step >= bad)
    assert train_runs(wanted, JOB) == 0


def test_runs_after_a_diverged_one_are_as_they_are_alone() -> None:
    wanted = diverging_sweep()
    train_runs(wanted, JOB)
    together = science(wanted[-1])
    for path in Path(".lrtransfer").rglob("*.*"):
        path.unlink()
    train_runs(wanted[-1:], JOB)
    assert science(wanted[-1]) == together


def test_a_batch_larger_than_the_data_is_refused_and_publishes_nothing() -> None:
    content = tiny_params()
    tiny_grid(content)["batch_size"] = 41
    with pytest.raises(ValueError, match="batch_size is 41, but there are 40"):
        train_runs(tiny_plan(content).runs[:1], JOB)
    assert not LAYOUT.runs.exists()


def test_a_run_that_another_process_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "LOCK_WAIT_SECONDS", 0.0)
    run = runs()[0]
    with (
        acquire(LAYOUT.work_run(run.key) / "lock", "process 1 on elsewhere"),
        pytest.raises(LockHeldError, match="process 1 on elsewhere"),
    ):
        train_runs([run], JOB)
    assert train_runs([run], JOB) == 1


def start(mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.study.training.sweep_job", mode]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload,no-any-return]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state_of_first() -> Path:
    return LAYOUT.work_run(slow_runs()[0].key) / "state.safetensors"


@pytest.mark.process
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)
def test_a_signal_saves_and_a_second_call_goes_on_to_the_same_result(
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = slow_runs()[0]
    with start("train") as job:
        until(state_of_first().exists)
        job.send_signal(number)
        _, error = job.communicate(timeout=60)
    assert job.returncode == 3
    assert f"run {first.key} stopped at step" in error
    stopped = int(error.split("at step ")[1].split(";")[0])
    assert 0 < stopped < first.config.steps
    assert not LAYOUT.run(first.key).exists()

    begun = []
    load = TrainingRun.load_state
    monkeypatch.setattr(
        TrainingRun,
        "load_state",
        lambda run, state: (begun.append(state.step), load(run, state)),  # type: ignore[func-returns-value]
    )
    assert train_runs([first], JOB) == 1
    assert begun == [stopped]
    resumed = science(first)
    for path in LAYOUT.work_run(first.key).glob("*.*"):
        path.unlink()
    assert train_runs([first], JOB) == 1
    assert len(begun) == 1
    assert science(first) == resumed


def test_signals_are_handled_as_before_once_a_job_is_done() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    train_runs(runs()[:1], JOB)
    assert before == [
        signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    ]


@pytest.mark.process
def test_a_trainer_whose_parent_is_killed_saves_and_stops() -> None:
    with start("parent") as parent:
        assert parent.stdout is not None
        trainer = int(parent.stdout.readline())
        until(state_of_first().exists)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        # The trainer holds the pipe's other end until it is gone.
        _, error = parent.communicate(timeout=60)
    assert "stopped at step" in error
    until(lambda: not running(trainer))
    assert state_of_first().exists()
    assert not LAYOUT.run(slow_runs()[0].key).exists()


def running(process: int) -> bool:
    """Return whether a process is there and not just waiting to be reaped."""
    try:
        state = (
            Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        )
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_model_that_draws_gives_one_result_stopped_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drawing(*arguments: Any) -> torch.nn.Module:
        made = build(*arguments)
        noise = torch.randn(())  # as a buffer that a constructor draws
        made.register_forward_hook(
            lambda module, inputs, outputs: torch.nn.functional.dropout(outputs) * (2 + noise)
        )
        return made

    build = network.build
    monkeypatch.setattr(network, "build", drawing)
    run = runs()[0]
    found = []
    second = SingleProcess()
    second.rank = 1
    for seed, stop_at in ((0, None), (1, None), (2, run.config.steps // 2), (3, None)):
        torch.manual_seed(seed)
        if stop_at:
            asked = iter([False] * stop_at + [True])
            with monkeypatch.context() as patch, pytest.raises(sweep.StoppedError):
                requested = property(partial(lambda asked, _: next(asked), asked))
                patch.setattr(sweep._StopSignal, "requested", requested)
                train_runs([run], JOB)
        train_runs([run], replace(JOB, replicas=second) if seed == 3 else JOB)
        found.append(science(run))
        for folder in ("results", ".lrtransfer"):
            shutil.rmtree(folder)
    assert found[0] == found[1] == found[2]
    assert found[3] != found[0], "a second process draws for samples of its own"
