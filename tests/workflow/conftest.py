"""One finished tiny study, made once and copied for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.project import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose whole study has run. Tests take a copy: see ``project``."""
    made = Project.create(tmp_path_factory.mktemp("study") / "finished")
    made.study()
    assert len(made.trained()) == 4
    return made


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """Return a copy of the finished study that a test may change."""
    return finished.duplicate(tmp_path / "project")


@pytest.fixture(scope="session")
def shared(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a finished study under git and DVC, pushed to a remote in a local folder."""
    folder = tmp_path_factory.mktemp("shared")
    made = finished.duplicate(folder / "project")
    made.run("git", "init", "-q", "-b", "main")
    made.run("dvc", "init", "-q")
    made.run("dvc", "config", "core.analytics", "false")
    made.run("dvc", "remote", "add", "--default", "store", str(folder / "remote"))
    made.run("dvc", "repro", "-q")
    made.commit("study")
    made.run("dvc", "push", "-q")
    return made
