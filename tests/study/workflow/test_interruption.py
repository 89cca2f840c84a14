"""Kill -9 at any moment loses nothing finished, and a second call goes on."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.study.workflow.project import Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def project(untrained: Project) -> Project:
    """Return a project that has its data and no run."""
    return untrained


def _slow(project: Project) -> None:
    """Make runs long enough to be killed in the middle."""
    project.change(
        lambda grid: grid.update(steps=1500, spectra=grid["spectra"] | {"steps": [1500]})
    )


def _finished_and_complete(project: Project) -> None:
    output = project.study("train_all").stdout
    keys = project.trained()
    assert len(keys) == len(set(keys)), f"a run was trained twice: {keys}\n{output}"
    assert project.planned_jobs().keys().isdisjoint({"train_all"})


def _run_folders(project: Project) -> Path:
    return project.root / ".lrtransfer/jobs/results/runs"


def _trainers(project: Project) -> list[int]:
    """Return the processes that train in this project's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                here = (entry / "cwd").resolve() == project.root.resolve()
            except OSError:
                continue
            if here and b"train" in command and b"lrtransfer" in command:
                found.append(int(entry.name))
    return found


def _wait_for_training(project: Project) -> None:
    """Wait for a run's lock, which says that its trainer listens to signals."""
    deadline = time.monotonic() + 60
    while not list(_run_folders(project).glob("*/lock")) and time.monotonic() < deadline:
        time.sleep(0.1)


@pytest.mark.parametrize("seed", range(2))
def test_killing_the_head_loses_nothing(project: Project, seed: int) -> None:
    _kill_and_finish(project, seed, whole_group=seed % 2 == 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 20))
def test_killing_the_head_at_many_moments_loses_nothing(project: Project, seed: int) -> None:
    _kill_and_finish(project, seed, whole_group=seed % 2 == 1)


def _kill_and_finish(project: Project, seed: int, *, whole_group: bool) -> None:
    _slow(project)
    moment = random.Random(seed).uniform(0.0, 2.0)
    head = project.start("lrtransfer", "workflow", "train_all")
    if seed % 5 != 4:  # one in five is killed while it starts, the others while they train
        _wait_for_training(project)
    time.sleep(moment)
    if whole_group:
        os.killpg(head.pid, signal.SIGKILL)
    else:
        head.kill()
    head.wait()
    before = project.trained()
    _finished_and_complete(project)
    assert project.trained()[: len(before)] == before
    assert len(project.trained()) == 4


def test_killing_a_trainer_loses_only_its_unsaved_steps(project: Project) -> None:
    _slow(project)
    head = project.start("lrtransfer", "workflow", "train_all")
    deadline = time.monotonic() + 60
    while not project.trained() and time.monotonic() < deadline and head.poll() is None:
        time.sleep(0.1)
    for trainer in _trainers(project):
        os.kill(trainer, signal.SIGKILL)
    head.wait(timeout=60)
    _finished_and_complete(project)
    assert len(project.trained()) == 4


def test_a_second_study_in_the_same_folder_is_refused_and_told_who_runs(project: Project) -> None:
    _slow(project)
    head = project.start("lrtransfer", "workflow", "train_all")
    try:
        # `prepare_all` left its lock's file; a trainer says that the head holds it.
        deadline = time.monotonic() + 60
        while not _trainers(project) and time.monotonic() < deadline:
            time.sleep(0.1)
        second = project.study("train_all", check=False)
        assert second.returncode == 1
        assert f"process {head.pid}" in second.stdout
    finally:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()


def test_terminating_the_study_saves_and_resumes(project: Project) -> None:
    project.change(
        lambda grid: grid.update(steps=20000, spectra=grid["spectra"] | {"steps": [20000]})
    )
    head = project.start("lrtransfer", "workflow", "train_all")
    _wait_for_training(project)
    for trainer in _trainers(project):
        os.kill(trainer, signal.SIGTERM)
    head.wait(timeout=120)
    states = list(_run_folders(project).glob("*/state.safetensors"))
    assert states, "a terminated trainer saves its state"


@pytest.mark.parametrize("seconds", [0.0, 4.0], ids=["while starting", "while training"])
def test_an_orphaned_trainer_stops(project: Project, seconds: float) -> None:
    project.change(
        lambda grid: grid.update(steps=10**6, spectra=grid["spectra"] | {"steps": [10**6]})
    )
    head = project.start("lrtransfer", "workflow", "train_all")
    deadline = time.monotonic() + 60
    while not _trainers(project) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(seconds)
    head.kill()
    head.wait()
    deadline = time.monotonic() + 30
    while _trainers(project) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _trainers(project)
    assert not project.trained()
