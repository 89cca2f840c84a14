"""One Slurm and one prepared data set for all tests; a local study to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study.slurm.cluster import Cluster, missing
from tests.study.workflow.project import Project

STEPS = 6000


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a running Slurm; skip, saying why, where none can be started."""
    if reason := missing():
        pytest.skip(reason)
    made = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def local(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project of one sweep of two runs of some seconds each, trained without a cluster."""
    made = finished.with_data_alone(tmp_path_factory.mktemp("local") / "project")
    made.change(
        lambda grid: grid.update(
            widths=[8], steps=STEPS, spectra=grid["spectra"] | {"steps": [STEPS]}
        )
    )
    made.study("train_all")
    assert len(made.trained()) == 2
    return made


@pytest.fixture
def untrained(local: Project, tmp_path: Path) -> Project:
    """Return the same project with prepared data and no run."""
    return local.with_data_alone(tmp_path / "project")
