"""Snakemake looks for work when a job ends, and at no other time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lrtransfer.study.workflow.start import wait_for_jobs

SNAKEFILE = """
from snakemake.scheduling.job_scheduler import JobScheduler
from lrtransfer.study.workflow.start import wait_for_jobs

select = JobScheduler.job_selector


def counted(self, jobs):
    with open("looks", "a") as file:
        print(len(jobs), file=file)
    return select(self, jobs)


JobScheduler.job_selector = counted

onstart:
    wait_for_jobs(workflow)

rule all:
    input: [f"done/{i}" for i in range(5)]

rule one:
    output: touch("done/{i}")
    shell: "sleep 1.5"
"""


@pytest.mark.process
def test_five_jobs_are_looked_over_once_each(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--scheduler", "greedy"]
    subprocess.run([*command, "--quiet", "all"], cwd=tmp_path, check=True)
    looks = (tmp_path / "looks").read_text(encoding="utf-8").split()
    assert [int(jobs) for jobs in looks] == [5, 4, 3, 2, 1, 1]  # the last is `all`


def test_a_cluster_s_limit_stays() -> None:
    limit = object()
    workflow = SimpleNamespace(local_exec=False, scheduler=SimpleNamespace(job_rate_limiter=limit))
    wait_for_jobs(workflow)
    assert workflow.scheduler.job_rate_limiter is limit
