"""Other faults of a study: killed in any stage, results of another format, one run too large."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.storage.tables import write_table
from tests.study.workflow.project import EXPERIMENT, Project

pytestmark = pytest.mark.workflow

# A file that each stage after training writes as it starts.
_LOGS = {
    "spectra": "logs/results/spectra/*.log",
    "estimates": f"logs/results/estimates/{EXPERIMENT}.log",
    "figures": f"logs/results/figures/{EXPERIMENT}.log",
}


def test_kill_9_in_every_stage_after_training_costs_that_stage_alone(project: Project) -> None:
    claims = project.root / "results/claims.json"
    expected = claims.read_bytes()
    for folder in ("spectra", "tables", "estimates", "figures", "claims.json", "report.html"):
        path = project.root / "results" / folder
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(project.root / ".lrtransfer/jobs/results/spectra")
    shutil.rmtree(project.root / "logs")
    for pattern in _LOGS.values():
        head = project.start("lrtransfer", "workflow", "all")
        deadline = time.monotonic() + 120
        while not list(project.root.glob(pattern)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(project.root.glob(pattern)), "the stage was never reached"
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
    project.study()
    assert claims.read_bytes() == expected
    assert project.planned_jobs() == {}
    assert len(project.trained()) == 4


def test_kill_9_while_data_are_prepared_leaves_whole_data_or_none(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    head = project.start("lrtransfer", "workflow", "prepare_all")
    deadline = time.monotonic() + 120
    while not list(project.root.glob("logs/**/*.log")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    project.study("prepare_all")
    (folder,) = (project.root / "data/prepared").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    content = next(folder.glob("*.safetensors")).read_bytes()
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"]
    assert not list(folder.glob("*.tmp"))


def test_results_of_an_older_schema_are_asked_for_by_nothing(project: Project) -> None:
    project.edit_source("study/plan/run_config.py", "\nSCHEMA = 1\n", "\nSCHEMA = 2\n")
    before = [path.read_bytes() for path in project.run_files()]
    output = project.run("lrtransfer", "status").stdout
    assert "4 missing: params.yaml changed (schema)" in output
    assert "4 stored runs are asked for by nothing" in output
    assert [path.read_bytes() for path in project.run_files()] == before


def test_a_run_file_of_another_version_is_named_and_made_anew_by_the_next_call(
    project: Project,
) -> None:
    path = project.run_files()[0]
    table, about = read_run(path, path.stem)
    del about["status"]
    write_table(path, table, about)
    (project.root / f"results/tables/{EXPERIMENT}.runs.parquet").unlink()
    refused = project.study(check=False)
    assert refused.returncode == 1
    assert f"results/runs/{path.name}: lacks 'status'" in refused.stdout
    said = refused.stdout.splitlines()
    assert f"error: tables_{EXPERIMENT} failed." in said
    assert f"The end of logs/results/tables/{EXPERIMENT}.log:" in said
    assert f"repeat it alone: lrtransfer workflow tables_{EXPERIMENT}" in said
    assert "Error in rule" in (project.root / "logs/snakemake.log").read_text()
    said = project.study().stdout.splitlines()
    assert any(line.startswith("training: 1 job done in") for line in said)
    assert len(said) < 20, "a line a stage, and not Snakemake's own"
    assert project.trained()[4:] == [path.stem]


def test_a_run_too_large_for_the_memory_leaves_the_others_alone(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    project.change(lambda grid: grid.update(widths=[8, 200_000]))
    limited = ("prlimit", f"--as={24 * 2**30}", "lrtransfer", "workflow", "train_all")
    done = project.run(*limited, check=False)
    assert done.returncode == 1
    logs = "\n".join(log.read_text() for log in (project.root / "logs").rglob("*.log"))
    assert "allocate" in logs
    assert "Traceback" not in logs
    assert len(project.trained()) == 2
    project.change(lambda grid: grid.update(widths=[8]))
    assert not [job for job in project.planned_jobs() if job.startswith("train_")]
