"""A bare snakemake in the folder: a study and prune are refused, and told who runs."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.study.workflow.project import Project

pytestmark = pytest.mark.workflow


def test_beside_a_bare_snakemake_study_and_prune_are_refused_by_name(project: Project) -> None:
    project.change(
        lambda grid: grid.update(steps=10**6, spectra=grid["spectra"] | {"steps": [10**6]})
    )
    bare = project.start("snakemake", "train_all")
    try:
        runs = project.root / ".lrtransfer/jobs/results/runs"
        known = {
            path for path in runs.glob("*/lock") if path.parent.joinpath("run.parquet").exists()
        }
        deadline = time.monotonic() + 120
        while set(runs.glob("*/lock")) <= known and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(bare.pid, signal.SIGSTOP)  # it keeps its lock, and takes no processor
        for command in (["workflow", "train_all"], ["prune", "--yes"]):
            done = project.run("lrtransfer", *command, check=False)
            assert done.returncode == 1
            assert f"is held by process {bare.pid} on " in done.stdout
            assert "rule train" not in done.stdout
        assert bare.poll() is None
    finally:
        os.killpg(bare.pid, signal.SIGKILL)
        bare.wait()
