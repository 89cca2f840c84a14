"""One finished tiny study, made once and copied for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.workflow.project import Project


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
