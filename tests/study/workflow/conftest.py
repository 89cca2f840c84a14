"""A finished study, shared through git and DVC; a folder for parts of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study.plan.package_copy import forget
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


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty working folder, whose parts are forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget()
