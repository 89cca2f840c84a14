"""`lrtransfer init`: what a new study's folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lrtransfer.cli import main
from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import load_study
from tests.study.plan.package_copy import forget
from tests.tiny import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "mine"]) == 0
    monkeypatch.chdir(tmp_path / "mine")
    forget()
    return tmp_path / "mine"


def test_the_template_is_a_valid_study_of_its_own_model(folder: Path) -> None:
    made = plan(load_study(Path("params.yaml")))
    assert {run.config.model.family for run in made.runs} == {"mine"}
    assert all("./models/mine.py" in run.code for run in made.runs)
    assert all("study/training/outside.py" in run.code for run in made.runs)
    claims = yaml.safe_load((folder / "claims.yaml").read_text())
    assert [len(own) for own in claims.values()] == [1]


def test_it_is_short_and_complete(folder: Path) -> None:
    assert len((folder / "params.yaml").read_text().splitlines()) <= 40
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert {
        ".dvcignore",
        ".gitignore",
        "README.md",
        "Snakefile",
        "claims.yaml",
        "dvc.yaml",
        "models/mine.py",
        "params.yaml",
        "profiles/default/config.yaml",
        "profiles/slurm/config.yaml",
    } <= files
    assert not any(name.startswith(("workflow", "src")) for name in files)


def test_what_it_shares_with_the_repository_is_the_same_text(folder: Path) -> None:
    for name in ("Snakefile", ".dvcignore", "profiles/slurm/config.yaml"):
        assert (folder / name).read_text() == (ROOT / name).read_text()


def test_every_command_of_its_readme_and_stages_exists(folder: Path) -> None:
    text = (folder / "README.md").read_text() + (folder / "dvc.yaml").read_text()
    called = {
        line.split()[line.split().index("lrtransfer") + 1]
        for line in text.splitlines()
        if "lrtransfer " in line and "`" not in line and "learning" not in line
    }
    assert {"check", "run", "claims", "predict", "restore", "stage"} == called


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_not_empty_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    place = tmp_path / "mine"
    held = place / "notes.txt" if kind == "folder" else place
    held.parent.mkdir(exist_ok=True)
    held.write_text("mine")
    assert main(["init", str(place)]) == 1
    told = capsys.readouterr().err
    assert told == f"error: {place} is not empty. Give the name of a new folder.\n"
    assert held.read_text() == "mine"
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [held]
