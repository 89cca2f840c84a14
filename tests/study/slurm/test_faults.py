"""What a cluster does to jobs: nothing finished is lost, no run trained twice, all numbers hold."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.study.slurm.cluster import Cluster
from tests.study.slurm.on_cluster import OnCluster, assert_same_runs
from tests.study.workflow.project import Project

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]


def _trained_once(project: Project, local: Project) -> None:
    keys = project.trained()
    assert sorted(keys) == sorted(set(keys)), "a run was trained twice"
    assert len(keys) == 2
    assert_same_runs(project, local)


def test_a_cancelled_job_is_tried_again_once_the_drained_node_is_back(
    cluster: Cluster, untrained: Project, local: Project
) -> None:
    project = OnCluster(untrained)
    with project.studying("train_all") as head:
        cluster.wait_for(lambda: len(project.training()) == 2, 120)
        cluster.set_node("drain")
        try:
            first = cluster.jobs(project.root, "RUNNING")[0]
            cluster.ask("scancel", first)
            cluster.wait_for(lambda: cluster.jobs(project.root, "PENDING"), 60)
        finally:
            cluster.set_node("resume")
        assert head.wait(200) == 0, project.head_log()
    assert len(cluster.jobs(project.root)) == 3
    _trained_once(project, local)


def test_a_preempted_job_goes_on_where_it_was(
    cluster: Cluster, untrained: Project, local: Project
) -> None:
    project = OnCluster(untrained)
    with project.studying("train_all") as head:
        cluster.wait_for(lambda: len(project.training()) == 2, 120)
        cluster.ask(
            "sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1"
        )
        cluster.wait_for(project.saved, 60)
        assert head.wait(200) == 0, project.head_log()
    jobs = cluster.jobs(project.root)
    assert len(jobs) == 2, "the queue starts a preempted job again, Snakemake submits none"
    assert max(int(cluster.detail(job, "Restarts")) for job in jobs) >= 1
    _trained_once(project, local)


def test_a_restart_after_kill_9_takes_the_running_jobs_over(
    cluster: Cluster, untrained: Project, local: Project
) -> None:
    project = OnCluster(untrained)
    with project.studying("train_all") as head:
        cluster.wait_for(lambda: len(project.training()) == 2, 120)
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()
    left = cluster.jobs(project.root, "RUNNING")
    assert left, "Slurm's jobs outlive the Snakemake that submitted them"
    for job in left:
        # Else they may be done before the restart: then there is nothing to take over.
        cluster.ask("scontrol", "suspend", job)
    output = project.study("train_all").stdout
    assert all(job in output.split("left behind: ")[1].splitlines()[0] for job in left)
    _trained_once(project, local)


@pytest.mark.long
def test_a_job_at_its_time_limit_gets_a_second_attempt_with_more_time(
    cluster: Cluster, untrained: Project, tmp_path: Path
) -> None:
    project = OnCluster(untrained)

    def lengthen(grid: dict[str, Any]) -> None:
        grid["steps"] = 240_000
        grid["arms"]["mup"]["lr"] = 0.5
        del grid["measure"], grid["spectra"]

    project.change(lengthen)
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("runtime_minutes: 120", "runtime_minutes: 1"))
    alone = untrained.duplicate(tmp_path / "alone")
    with project.studying("train_all") as head:
        cluster.wait_for(lambda: cluster.jobs(project.root, "TIMEOUT"), 240)
        assert project.saved()
        assert head.wait(900) == 0, project.head_log()
    assert len(project.trained()) == 1
    jobs = sorted(cluster.jobs(project.root), key=int)
    assert [cluster.detail(job, "TimeLimit") for job in jobs][:2] == ["00:01:00", "00:02:00"]
    assert [cluster.detail(job, "MinMemoryNode") for job in jobs][:2] == ["2000M", "4000M"]
    assert alone.start("lrtransfer", "workflow", "train_all").wait(900) == 0
    assert_same_runs(project, alone)
