"""The generic profile's scripts, with stand-ins for Slurm's commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.tiny import ROOT

pytestmark = pytest.mark.process

SCRIPTS = ROOT / "profiles/cluster-generic"


def _run(folder: Path, script: str, *arguments: str, **stand_ins: str) -> str:
    """Run a script in a folder where some programs are replaced; return what it prints."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, body in stand_ins.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["sh", SCRIPTS / script, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("gpus", "asked"), [("0", ""), ("2", "--gpus 2 ")])
def test_a_job_asks_for_what_its_rule_says_and_for_no_gpu_where_it_needs_none(
    tmp_path: Path, gpus: str, asked: str
) -> None:
    job = ("train_run", "4", "2000", "35", gpus, "job script.sh")
    printed = _run(tmp_path, "submit.sh", *job, sbatch='echo "$@"')
    assert printed == (
        "--parsable --job-name lrtransfer_train_run --requeue --cpus-per-task 4 --mem 2000 "
        f"--time 35 {asked}--output logs/cluster/%j.log job script.sh\n"
    )
    assert (tmp_path / "logs/cluster").is_dir()


@pytest.mark.parametrize(
    ("controller", "accounting", "expected"),
    [
        ("COMPLETED", "", "success"),
        ("RUNNING", "", "running"),
        ("PREEMPTED", "", "running"),
        ("TIMEOUT", "", "failed"),
        ("OUT_OF_MEMORY", "", "failed"),
        ("", "COMPLETED", "success"),
        ("", "CANCELLED by 0", "failed"),
        ("", "PREEMPTED", "failed"),
        ("", "RUNNING", "running"),
        ("", "", "failed"),
    ],
)
def test_the_status_is_the_controller_s_or_else_the_accounting_s(
    tmp_path: Path, controller: str, accounting: str, expected: str
) -> None:
    gone = 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1'
    scontrol = f'echo "JobId=7 JobState={controller} Reason=None"' if controller else gone
    printed = _run(tmp_path, "status.sh", "7", scontrol=scontrol, sacct=f'echo "{accounting}"')
    assert printed == f"{expected}\n"


@pytest.mark.parametrize(
    "scontrol",
    ["exit 1", 'echo "slurm_load_jobs error: Socket timed out on send/recv operation" >&2; exit 1'],
    ids=["down", "overloaded"],
)
def test_a_job_counts_as_running_while_the_controller_does_not_answer(
    tmp_path: Path, scontrol: str
) -> None:
    printed = _run(tmp_path, "status.sh", "7", scontrol=scontrol, sacct="exit 1")
    assert printed == "running\n"
