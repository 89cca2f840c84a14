"""Damaged results are named, and made anew or refused; never silently used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.workflow.project import Project
from tests.tiny import EXPERIMENT

pytestmark = pytest.mark.workflow


def _truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 3)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x10]))


@pytest.mark.parametrize("damage", [_truncate, _flip])
def test_a_damaged_run_is_named_and_trained_again(project: Project, damage: object) -> None:
    run = project.run_files()[0]
    content = run.read_bytes()
    damage(run)  # type: ignore[operator]
    output = project.study("train_all").stdout
    assert f"results/runs/{run.name}" in output
    assert project.trained()[4:] == [run.stem]
    assert len(run.read_bytes()) == pytest.approx(len(content), rel=0.05)


def test_a_damaged_checkpoint_is_named_and_made_again(project: Project) -> None:
    checkpoint = next((project.root / "results/checkpoints").glob("*/*.safetensors"))
    _flip(checkpoint)
    output = project.study("train_all").stdout
    assert str(checkpoint.relative_to(project.root)) in output
    assert project.trained()[4:] == [checkpoint.parent.name]


def test_a_damaged_table_stops_the_figures_by_name(project: Project) -> None:
    table = f"results/tables/{EXPERIMENT}.curves.parquet"
    _truncate(project.root / table)
    done = project.run("lrtransfer", "figures", check=False)
    assert done.returncode == 1
    assert table in done.stdout
    assert "Traceback" not in done.stdout
