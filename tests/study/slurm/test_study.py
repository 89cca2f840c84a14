"""The whole study through a cluster's profiles gives what it gives on one machine."""

from __future__ import annotations

import shutil

import pytest

from tests.study.slurm.cluster import Cluster
from tests.study.slurm.on_cluster import OnCluster, assert_same_runs
from tests.study.workflow.project import Project

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]


def test_the_study_on_slurm_equals_the_local_one(
    cluster: Cluster, finished: Project, project: Project
) -> None:
    for folder in ("results", ".lrtransfer", ".snakemake", "logs"):
        shutil.rmtree(project.root / folder)
    remote = OnCluster(project)
    remote.study()
    assert len(remote.trained()) == 4
    assert_same_runs(remote, finished)
    claims = "results/claims.json"
    assert (remote.root / claims).read_bytes() == (finished.root / claims).read_bytes()
    jobs = cluster.jobs(remote.root)
    assert len(jobs) == 4 + 2, "one job per run and one per sweep of spectra"
    assert {cluster.detail(job, "JobState") for job in jobs} == {"COMPLETED"}
    assert remote.planned_jobs() == {}


def test_a_job_goes_to_the_partition_that_has_its_gpu(cluster: Cluster, untrained: Project) -> None:
    params = untrained.root / "params.yaml"
    params.write_text(params.read_text().replace("gpu: 0", "gpu: 1"))
    profile = untrained.root / "profiles/slurm/config.yaml"
    profile.write_text(
        profile.read_text().replace("# slurm-partition-config", "slurm-partition-config")
    )
    project = OnCluster(untrained)
    with project.studying("train_all"):
        cluster.wait_for(lambda: len(cluster.jobs(project.root)) == 2, 120)
    jobs = cluster.jobs(project.root)
    cluster.ask("scancel", *jobs)
    assert {cluster.detail(job, "Partition") for job in jobs} == {"gpu"}
    assert all("gpu:1" in cluster.detail(job, "TresPerJob") for job in jobs)


@pytest.mark.long
def test_the_generic_executor_trains_the_same_runs(
    cluster: Cluster, untrained: Project, local: Project
) -> None:
    project = OnCluster(untrained, "cluster-generic")
    project.study("train_all")
    assert len(cluster.jobs(project.root)) == 2
    assert_same_runs(project, local)
