"""A finished study, shared through git and DVC."""

from __future__ import annotations

import pytest

from tests.study.workflow.project import Project


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
