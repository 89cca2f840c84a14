"""Full and read-only disks: a clear message, nothing half-written, and the next call goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lrtransfer.study.storage.run_file import read_run
from tests.study.workflow.project import Project

pytestmark = pytest.mark.workflow


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[None]:
    """Put a file system of ``size`` over a folder, with what the folder holds."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    held = folder.with_name(f"{folder.name}.before")
    folder.rename(held)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder])
    try:
        if mounted.returncode:
            pytest.skip("this machine refuses to mount a tmpfs")
        subprocess.run(["cp", "-a", f"{held}/.", folder], check=True)
        yield
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def _log(project: Project) -> str:
    return "\n".join(log.read_text() for log in (project.root / "logs").rglob("*.log"))


def test_a_full_disk_stops_the_study_by_name_and_the_next_call_goes_on(project: Project) -> None:
    work = project.root / ".lrtransfer"
    project.change(lambda grid: grid["arms"]["mup"].update(lr=[0.5, 1.0, 2.0, 3.0]))
    with _small_disk(work, "50m"):
        _remount(work, f"size={shutil.disk_usage(work).used // 1024 + 40}k")
        done = project.study("train_all", check=False)
        assert done.returncode == 1
        assert "No space left on device" in done.stdout + _log(project)
        for path in project.run_files():
            read_run(path, path.stem)
        assert not list(work.rglob("*.tmp")), "no half-written file is left behind"
        finished = project.trained()
        _remount(work, "size=50m")
        project.study("train_all")
        assert project.trained()[: len(finished)] == finished
        assert len(project.trained()) == len(set(project.trained())) == 8


def test_read_only_results_are_named_and_lose_no_finished_training(project: Project) -> None:
    results = project.root / "results"
    before = {path.name: path.read_bytes() for path in project.run_files()}
    project.change(lambda grid: grid["arms"]["mup"].update(lr=[0.5, 1.0, 2.0]))
    with _small_disk(results, "50m"):
        _remount(results, "ro")
        done = project.study("train_all", check=False)
        assert done.returncode == 1
        assert "Write-protected output files" in done.stdout
        assert {p.name: p.read_bytes() for p in project.run_files()} == before
        _remount(results, "rw")
        project.study("train_all")
        assert len(project.run_files()) == 6
        assert len(project.trained()) == len(set(project.trained())) == 6
