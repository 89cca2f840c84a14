"""DVC: repro is a no-op, a clone that pulls trains nothing, versions can be switched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.study.workflow.project import EXPERIMENT, Project

pytestmark = pytest.mark.workflow


@pytest.fixture
def clone(shared: Project, tmp_path: Path) -> Project:
    """Return a fresh clone that has pulled and restored."""
    root = tmp_path / "clone"
    shared.run("git", "clone", "-q", str(shared.root), str(root))
    made = Project(root)
    made.run("lrtransfer", "restore")
    return made


def test_repro_after_the_study_runs_nothing_and_its_lock_is_short(shared: Project) -> None:
    assert "up to date" in shared.run("dvc", "repro").stdout
    assert len(shared.trained()) == 4
    lock = (shared.root / "dvc.lock").read_text()
    assert len(lock.splitlines()) <= 500
    assert EXPERIMENT not in lock, "the study is there as a digest"


def test_a_clone_that_pulls_has_nothing_to_do(clone: Project) -> None:
    assert clone.planned_jobs() == {}
    assert "up to date" in clone.run("dvc", "status").stdout
    assert clone.trained() == []


def test_a_clone_redraws_figures_without_pulling(shared: Project, tmp_path: Path) -> None:
    root = tmp_path / "bare"
    shared.run("git", "clone", "-q", str(shared.root), str(root))
    bare = Project(root)
    figure = next(bare.root.glob("results/figures/*/*.csv"))
    drawn = figure.read_bytes()
    figure.unlink()
    (bare.root / "src/torch.py").write_text("raise ImportError('figures need no torch')\n")
    bare.run("lrtransfer", "figures")
    assert figure.read_bytes() == drawn
    assert (bare.root / "results/report.html").exists()


def test_one_more_learning_rate_in_a_clone_trains_only_its_runs(clone: Project) -> None:
    clone.change(lambda grid: grid["arms"]["mup"].update(lr=[0.5, 1.0, 2.0]))
    clone.study("train_all")
    assert len(clone.trained()) == 2, "one new run for each of two widths"


def test_metrics_of_two_versions_can_be_compared_and_pictures_shown(shared: Project) -> None:
    assert "verdicts.inconclusive" in shared.run("dvc", "metrics", "show", "--md").stdout
    shared.run("dvc", "plots", "show", "--out", "../plots")
    assert list((shared.root.parent / "plots").rglob("*spectral_density.png"))


def test_switching_to_an_older_version_trains_nothing(clone: Project) -> None:
    clone.change(lambda grid: grid["arms"]["mup"].update(lr=[0.5, 1.0, 2.0]))
    clone.run("dvc", "repro", "-q")
    clone.commit("one more learning rate")
    trained = len(clone.trained())
    clone.run("git", "checkout", "-q", "HEAD~1")
    clone.run("dvc", "checkout", "-q")
    clone.run("lrtransfer", "restore", "--no-pull")
    assert clone.planned_jobs() == {}
    clone.run("git", "checkout", "-q", "-")
    clone.run("dvc", "checkout", "-q")
    clone.run("lrtransfer", "restore", "--no-pull")
    clone.study()
    assert len(clone.trained()) == trained


def test_an_experiment_with_a_changed_fit_trains_nothing(clone: Project) -> None:
    clone.run("dvc", "exp", "run", "-q", "-S", "fits.confidence=0.9")
    assert clone.trained() == []
    assert "fits.confidence" in clone.run("dvc", "params", "diff", "--md").stdout


def test_an_experiment_with_a_longer_grid_trains_only_its_new_runs(clone: Project) -> None:
    rates = f"study.{EXPERIMENT}.arms.mup.lr"
    clone.run("dvc", "exp", "run", "-q", "-S", f"{rates}=[0.5,1.0,2.0]", "train")
    assert len(clone.trained()) == 2, "one new run for each of two widths"
    assert len(clone.run_files()) == 6
    assert rates in clone.run("dvc", "params", "diff", "--md").stdout
