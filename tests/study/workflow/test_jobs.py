"""What jobs ask for: time from the estimated cost, a GPU of their own, a cut of the sweep."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage.locks import LockHeldError, acquire, locked
from lrtransfer.study.storage.paths import STUDY_LOCK, Layout
from lrtransfer.study.training.device import gpu_of_its_own
from lrtransfer.study.workflow import start
from lrtransfer.study.workflow.cost import known_costs, note_costs, runtime_minutes
from lrtransfer.study.workflow.start import (
    _profile_settings,
    begin,
    cancel_orphans,
    prepare_environment,
    select,
)
from lrtransfer.study.workflow.targets import Targets, runs_behind
from tests.tiny import ROOT, tiny_plan

pytestmark = pytest.mark.process


def test_a_job_s_time_limit_follows_its_estimate_and_grows_with_the_attempt() -> None:
    costs = {"a": 600.0, "b": 1200.0}
    assert runtime_minutes(["a"], costs, ceiling=600, attempt=1) == 5 + 30
    assert runtime_minutes(["a", "b"], costs, ceiling=600, attempt=1) == 5 + 90
    assert runtime_minutes(["a", "b"], costs, ceiling=600, attempt=3) == 3 * 95


def test_a_time_limit_is_what_params_yaml_says_where_the_cost_is_larger_or_unknown() -> None:
    assert runtime_minutes(["a"], {"a": 1e6}, ceiling=120, attempt=2) == 240
    assert runtime_minutes(["a", "b"], {"a": 1.0}, ceiling=120, attempt=1) == 120


def test_costs_are_known_after_they_were_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert known_costs() == {}
    plan = tiny_plan()
    note_costs(plan)
    costs = known_costs()
    assert costs.keys() == {run.key for run in plan.runs}
    assert all(seconds >= 0 for seconds in costs.values())
    (tmp_path / ".lrtransfer/costs.json").write_text("{")
    assert known_costs() == {}


def test_a_profile_cuts_sweeps_into_jobs() -> None:
    plan = tiny_plan()
    sweeps = list(Targets(plan, Layout()).train_jobs())
    single = list(Targets(plan, Layout(), runs_per_job=1).train_jobs())
    assert len(sweeps) == len(plan.sweeps)
    assert len(single) == len(plan.runs)
    assert {file for job in sweeps for file in job.outputs} == {
        file for job in single for file in job.outputs
    }
    with pytest.raises(StudyError, match="runs_per_job is 0"):
        Targets(plan, Layout(), runs_per_job=0)


def test_jobs_of_one_plain_run_share_a_rule() -> None:
    plan = tiny_plan()
    targets = Targets(plan, Layout(), runs_per_job=1)
    common, *own = targets.train_rules()
    assert common.outputs == ("results/runs/{key}.parquet",)
    assert {rule.keys for rule in own} == {(run.key,) for run in plan.runs if run.checkpoints}
    assert {file for rule in own for file in rule.outputs} >= set(targets.checkpoints)
    assert len(Targets(plan, Layout()).train_rules()) == len(plan.sweeps)


def test_an_experiment_has_five_tables_at_most() -> None:
    chosen = select(ROOT / "params.yaml", experiments="all")
    targets = Targets(chosen.plan, chosen.layout)
    for name in chosen.plan.experiments:
        files = [
            *targets.run_tables(name),
            *targets.spectra_tables(name),
            *targets.estimates(name),
        ]
        assert 3 <= len(files) <= 5, files


def test_a_job_waits_for_the_data_of_its_runs_alone() -> None:
    plan = tiny_plan()
    targets = Targets(plan, Layout())
    assert targets.data_of([plan.runs[0].key]) == targets.dataset(plan.datasets[0])


def test_a_job_of_a_study_that_changed_meanwhile_says_so() -> None:
    plan = tiny_plan()
    for find in (
        lambda key: runs_behind(plan, [f"results/runs/{key}.parquet"]),
        lambda key: Targets(plan, Layout()).data_of([key]),
    ):
        with pytest.raises(LookupError, match="changed while the study was running"):
            find("0" * 16)


def test_the_entry_repeats_a_profile_s_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    assert _profile_settings() == {}
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "profiles/slurm")
    assert _profile_settings() == {"runs_per_job": 1}
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "elsewhere")
    with pytest.raises(FileNotFoundError, match="path of the profile's folder"):
        _profile_settings()


def test_jobs_on_one_machine_get_gpus_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    gpu = torch.device("cuda")
    with ExitStack() as jobs:
        taken = [jobs.enter_context(gpu_of_its_own(gpu, tmp_path)) for _ in range(3)]
        assert taken == [torch.device("cuda", 0), torch.device("cuda", 1), gpu]
        other = jobs.enter_context(gpu_of_its_own(torch.device("cuda", 0), tmp_path))
        assert other == torch.device("cuda", 0), "a numbered GPU is used as told"
    with gpu_of_its_own(gpu, tmp_path) as device:
        assert device == torch.device("cuda", 0), "a job's end frees its GPU"
    with gpu_of_its_own(torch.device("cpu"), tmp_path) as device:
        assert device == torch.device("cpu")


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A queue of four jobs behind stand-ins of squeue and scancel; what was cancelled is beside."""
    bin_folder, project = tmp_path / "bin", tmp_path / "project"
    bin_folder.mkdir()
    project.mkdir()
    state = tmp_path / "queue"
    state.write_text(
        f"1|lrtransfer_a|{project}\n2|other|{project}\n3|lrtransfer_b|{tmp_path}\n4|lrtransfer|x|y\n"
    )
    for name, script in (
        ("squeue", f"cat {state}"),
        (
            "scancel",
            f'echo "$@" > {tmp_path}/cancelled; grep -v "^1|" {state} > {state}.new;'
            f" mv {state}.new {state}",
        ),
    ):
        (bin_folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (bin_folder / name).chmod(0o755)
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=":")
    monkeypatch.delenv("LRTRANSFER_LOCK", raising=False)
    monkeypatch.setattr(start, "_held", [])
    return tmp_path / "cancelled"


def test_only_this_folder_s_jobs_of_this_study_are_cancelled(queue: Path) -> None:
    assert cancel_orphans() == ["1"]
    assert queue.read_text() == "1\n"
    assert cancel_orphans() == []


def test_a_bare_snakemake_beside_a_study_stops_and_names_its_process(
    queue: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = acquire(STUDY_LOCK, "process 1 on elsewhere")
    with pytest.raises(SystemExit):
        begin(Layout())
    assert "held by process 1 on elsewhere" in capsys.readouterr().err
    monkeypatch.setenv("LRTRANSFER_LOCK", "0")
    with pytest.raises(SystemExit):
        begin(Layout())
    monkeypatch.setenv("LRTRANSFER_LOCK", str(lock.fileno()))
    begin(Layout())  # it is inherited


def test_a_study_inside_a_job_does_not_cancel_itself(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert cancel_orphans() == []
    assert not queue.exists()


def test_a_bare_snakemake_holds_the_lock_while_it_runs(queue: Path) -> None:
    begin(Layout())
    with pytest.raises(LockHeldError, match="process"), locked(STUDY_LOCK, "a second one"):
        pass


def test_a_file_beside_params_yaml_shadows_no_package_in_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    (tmp_path / "yaml.py").write_text("raise SystemExit('shadowed')")
    prepare_environment({})
    command = ["python", "-m", "lrtransfer", "check", "elsewhere.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert "elsewhere.yaml: no such file" in done.stderr
    assert done.returncode == 2
