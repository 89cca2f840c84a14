"""Several processes that train together against one process alone."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.multiprocessing.spawn import spawn

from lrtransfer.study.plan.expand import Run, plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.training.distributed.processes import own_device
from lrtransfer.study.training.distributed.replicas import SingleProcess
from lrtransfer.study.training.run import TrainingRun
from lrtransfer.study.training.sweep import Job, train_runs
from lrtransfer.study.training.tensors import load_tensors
from lrtransfer.study.workflow.preflight import check_runs
from tests.tiny import EXPERIMENT, ROOT, store_blobs, tiny_grid, tiny_params, tiny_plan

from .replicas import CPU, cases, process, trained
from .sweep_job import slow_runs

LAYOUT = Layout()


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.long)])
def seen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What each of 2 or 3 processes saw of every case."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as first, socket.socket() as second:
        for free in (first, second):
            free.bind(("localhost", 0))
        ports = f"{first.getsockname()[1]} {second.getsockname()[1]}"
    (folder / "ports").write_text(ports, encoding="utf-8")
    spawn(process, args=(request.param, str(folder)), nprocs=request.param)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt") for rank in range(request.param)]


def bits(found: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Return numbers as text, so that NaN equals itself, and weights as bytes."""
    weights = {name: tensor.numpy().tobytes() for name, tensor in found["weights"].items()}
    return repr({name: value for name, value in found.items() if name != "weights"}), weights


@pytest.mark.process
def test_every_process_ends_with_the_same_bits(seen: list[dict[str, Any]]) -> None:
    for found in seen[1:]:
        for name in cases(len(seen)):
            assert bits(found[name]) == bits(seen[0][name]), name


@pytest.mark.process
def test_losses_rows_and_weights_are_those_of_one_process(seen: list[dict[str, Any]]) -> None:
    for name, case in cases(len(seen)).items():
        alone, found = trained(case, SingleProcess()), seen[0][name]
        assert found["learning_rates"] == alone["learning_rates"], name
        assert found["diverged_step"] == alone["diverged_step"], name
        assert found["measuring"] == pytest.approx(alone["measuring"]), name
        assert found["losses"] == pytest.approx(alone["losses"], rel=1e-9), name
        assert list(found["rows"]) == list(alone["rows"]), name
        for step, row in alone["rows"].items():
            # An update turns rounding in a curvature of zero into another zero.
            near = pytest.approx(row, rel=1e-6, abs=1e-12, nan_ok=True)
            assert found["rows"][step] == near, (name, step)
        if alone["diverged_step"] is None:
            torch.testing.assert_close(found["weights"], alone["weights"], rtol=1e-9, atol=1e-12)


def test_the_cases_are_what_they_are_meant_to_be() -> None:
    assert 1 < trained(cases(2)["diverging"], SingleProcess())["diverged_step"] < 6
    overflow = trained(cases(2)["overflow"], SingleProcess())["rows"][0]
    assert all(value != value for value in overflow.values())
    assert 2 < len(trained(cases(2)["share"], SingleProcess())["rows"]) < 7


@pytest.mark.process
def test_a_resumed_run_equals_the_uninterrupted_one_to_the_bit(seen: list[dict[str, Any]]) -> None:
    for found in seen:
        assert bits(found["adamw resumed"]) == bits(found["adamw"])


@pytest.mark.process
def test_the_error_of_one_process_ends_all_and_is_told_by_it_alone(
    seen: list[dict[str, Any]],
) -> None:
    left = [found["error"] for found in seen]
    assert left.pop(1) == "ValueError: process 1 is broken"
    assert set(left) == {"SystemExit: 1"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty study with prepared data."""
    monkeypatch.chdir(tmp_path)
    store_blobs(tiny_plan().runs[0].config.data)
    return tmp_path


def start(*command: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def torchrun() -> subprocess.Popen[str]:
    place = ("--standalone", "--local-addr=localhost", "--nproc-per-node=2")
    return start("torch.distributed.run", *place, "-m", "tests.study.training.replicas")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state_of(run: Run) -> Path:
    return LAYOUT.work_run(run.key) / "state.safetensors"


def saved_step(run: Run) -> int:
    step: int = load_tensors(state_of(run))[1]["step"] if state_of(run).exists() else 0
    return step


def workers(launcher: int) -> list[int]:
    """Return the processes that torchrun started, process 0 first."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text(encoding="utf-8")
    return sorted(int(child) for child in children.split())


def errors(output: str) -> list[str]:
    return re.findall(r"^error: .*$", output, re.MULTILINE)


def science(run: Run) -> dict[str, Any]:
    """Return the columns of a published run, its weights, and how many processes made it."""
    table, about = read_run(LAYOUT.run(run.key), run.key)
    weights = {step: load_tensors(LAYOUT.checkpoint(run.key, step))[0] for step in run.checkpoints}
    return {"rows": table.to_pydict(), "weights": weights, "processes": about["processes"]}


def assert_near(found: dict[str, Any], expected: dict[str, Any], rel: float) -> None:
    assert found["rows"].keys() == expected["rows"].keys()
    for name, column in expected["rows"].items():
        for value, other in zip(found["rows"][name], column, strict=True):
            assert (value is None) == (other is None), name
            if value is not None:
                assert value == pytest.approx(other, rel=rel, abs=1e-12), name
    torch.testing.assert_close(found["weights"], expected["weights"], rtol=rel, atol=rel)


def alone(runs: list[Run]) -> list[dict[str, Any]]:
    """Train runs in this process, in place of what is there, and return their science."""
    for path in [*Path(".lrtransfer").rglob("*.*"), *Path("results").rglob("*.*")]:
        if path.is_file() and "data" not in path.parts:
            path.unlink()
    assert train_runs(runs, Job(LAYOUT, CPU)) == len(runs)
    return [science(run) for run in runs]


@pytest.mark.process
def test_a_killed_and_a_stopped_process_leave_states_to_go_on_from(folder: Path) -> None:
    run = slow_runs(120)[0]
    with torchrun() as job:
        until(lambda: saved_step(run) > 3)
        os.kill(workers(job.pid)[1], signal.SIGKILL)
        _, output = job.communicate(timeout=60)
    assert job.returncode
    assert errors(output) == [
        "error: another process that trains this run ended without a word; was it killed for "
        "want of memory?"
    ]
    killed = saved_step(run)

    with torchrun() as job:
        until(lambda: saved_step(run) > killed)
        os.kill(workers(job.pid)[1], signal.SIGTERM)
        _, output = job.communicate(timeout=60)
    assert job.returncode
    (told,) = errors(output)
    assert told == f"error: run {run.key} stopped at step {saved_step(run)}; its state is saved"
    assert killed < saved_step(run) < 120
    assert not LAYOUT.run(run.key).exists()

    # One process may go on where two stopped.
    assert train_runs([run], Job(LAYOUT, CPU)) == 1
    together = science(run)
    assert_near(together, alone([run])[0], rel=1e-4)  # in float32


@pytest.mark.process
def test_the_command_of_the_workflow_starts_the_processes_that_the_study_asks_for(
    folder: Path,
) -> None:
    content = tiny_params()
    content["resources"]["processes_per_run"] = 2
    tiny_grid(content).update(precision="float64", batch_size=9)
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    runs = list(tiny_plan(content).sweeps[0].runs[1:4])
    files = [str(LAYOUT.run(run.key)) for run in runs]
    rule = (ROOT / "workflow" / "rules" / "train.smk").read_text(encoding="utf-8")
    assert "python -m lrtransfer stage train --threads {threads} {output}" in rule
    with start("lrtransfer", "stage", "train", "--threads", "2", *files) as job:
        _, output = job.communicate(timeout=90)
    assert job.returncode == 0, output
    last = output.splitlines()[-1]
    assert last == "trained 3 of 3 runs by 2 processes each; the others were finished"
    assert output.count("trained") == 1
    together = [science(run) for run in runs]
    for found, expected in zip(together, alone(runs), strict=True):
        assert (found["processes"], expected["processes"]) == (2, 1)
        assert_near(found, expected, rel=1e-6)


def test_the_number_of_processes_is_no_part_of_a_key() -> None:
    content = tiny_params()
    before = tiny_plan(content).runs
    content["resources"]["processes_per_run"] = 4
    assert [run.key for run in tiny_plan(content).runs] == [run.key for run in before]
    code = {file for run in before for file in run.code}
    assert not [file for file in code if file.startswith("study/training/distributed/")]
    assert "study/training/sweep.py" not in code


def test_one_process_alone_is_the_run_itself() -> None:
    run = SingleProcess().training_run(*cases(2)["momentum"], CPU)
    assert type(run) is TrainingRun


def refused(message: str, **changes: Any) -> None:
    content = tiny_params()
    content["resources"]["processes_per_run"] = 3
    arm = content["study"][EXPERIMENT]["arms"]["mup"]
    tiny_grid(content).update(changes.pop("grid", {}))
    content["study"][EXPERIMENT].update(changes.pop("experiment", {}))
    arm.update(changes)
    with pytest.raises(StudyError, match=message):
        check_runs(plan(parse_study(content)))
    content["resources"]["processes_per_run"] = 1
    check_runs(plan(parse_study(content)))


def test_a_study_that_cannot_be_split_is_refused_before_any_job() -> None:
    refused(
        r"arms\.mup: tuner is 'cdat'.*resources\.processes_per_run is 3\. Set it to 1",
        tuner="cdat",
    )
    refused(r"batch_size is 2, but resources\.processes_per_run is 3", grid={"batch_size": 2})
    measure = tiny_grid(tiny_params())["measure"] | {"samples": 2}
    refused(r"measure\.samples is 2, but resources", grid={"measure": measure})
    options = {"image_size": 28, "norm": "batch"}
    refused(
        r"batch norm \(.*\), whose statistics.*processes_per_run is 3",
        experiment={"model": {"residual_convnet": options}},
        grid={"depths": [3]},
    )


def test_each_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [own_device("auto", rank, 2).index for rank in (0, 1)] == [0, 1]
    assert own_device("cpu", 1, 2) == CPU
    with pytest.raises(ValueError, match="processes_per_run is 3, but the job sees 2 GPUs"):
        own_device("cuda", 0, 3)
    with pytest.raises(ValueError, match=r"device is 'cuda:1', one GPU, but.*Give device: cuda"):
        own_device("cuda:1", 0, 2)
