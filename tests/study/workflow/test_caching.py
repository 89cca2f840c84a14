"""The design's caching table: what each event makes run, counted in trained runs."""

from __future__ import annotations

import shutil

import pytest

from tests.study.workflow.project import EXPERIMENT, Project

pytestmark = pytest.mark.workflow

AFTER_TRAINING = {"index", f"fit_{EXPERIMENT}", "ledger", f"draw_{EXPERIMENT}", "report"}


def test_nothing_changed_runs_nothing(project: Project) -> None:
    assert project.planned_jobs() == {}
    output = project.study().stdout
    assert "Nothing to be done" in output
    assert len(project.trained()) == 4


def test_another_cut_into_jobs_runs_nothing_and_neither_does_a_touched_data_set(
    project: Project,
) -> None:
    for file in (project.root / "data/prepared").rglob("*.*"):
        file.touch()
    assert project.planned_jobs() == {}
    assert project.planned_jobs("--config", "runs_per_job=1") == {}
    project.run_files()[0].unlink()
    jobs = project.planned_jobs("--config", "runs_per_job=1")
    assert [n for name, n in jobs.items() if name.startswith("train_") and name != "train_all"] == [
        1
    ]


@pytest.mark.parametrize(
    ("axis", "values", "fresh"),
    [
        ("learning_rates", {"mup": [0.5, 1.0, 2.0]}, 2),
        ("seeds", [0, 1], 4),
        ("widths", [8, 16, 32], 2),
    ],
)
def test_a_longer_axis_trains_only_the_new_runs_and_taking_it_back_trains_none(
    project: Project, axis: str, values: object, fresh: int
) -> None:
    before = {path.name: path.read_bytes() for path in project.run_files()}
    shorter: dict[str, object] = {}

    def lengthen(grid: dict[str, object]) -> None:
        shorter[axis] = grid[axis]
        grid[axis] = values

    project.change(lengthen)
    project.study("train_all")
    assert len(project.trained()) == 4 + fresh
    after = {path.name: path.read_bytes() for path in project.run_files()}
    assert {name: after[name] for name in before} == before

    project.change(lambda grid: grid.update(shorter))
    project.study()
    assert len(project.trained()) == 4 + fresh


def test_a_new_arm_trains_only_its_own_runs(project: Project) -> None:
    import yaml

    path = project.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    experiment = params["study"][EXPERIMENT]
    experiment["arms"]["ntp"] = {
        "label": "NTP",
        "parameterization": "ntp",
        "reference_learning_rate": 4.0,
    }
    for grid in experiment["scales"].values():
        grid["learning_rates"]["ntp"] = [4.0]
    project.write_params(params)
    project.study("train_all")
    assert len(project.trained()) == 4 + 2


def test_a_deleted_run_file_comes_back_without_training(project: Project) -> None:
    deleted = project.run_files()[0]
    content = deleted.read_bytes()
    deleted.unlink()
    project.study()
    assert deleted.read_bytes() == content
    assert len(project.trained()) == 4


def test_a_run_file_deleted_with_its_work_copy_trains_that_run_alone(project: Project) -> None:
    deleted = project.run_files()[0]
    deleted.unlink()
    shutil.rmtree(project.root / ".lrtransfer/jobs/results/runs" / deleted.stem)
    project.study("train_all")
    assert project.trained()[4:] == [deleted.stem]
    assert deleted.exists()


def test_a_comment_or_docstring_edit_runs_nothing(project: Project) -> None:
    project.edit_source("study/training/run.py", '"""One run:', '"""A single run:')
    project.edit_source("study/training/run.py", "\nimport time\n", "\nimport time  # a remark\n")
    project.edit_source("transfer/drift.py", "from __future__", "# a remark\nfrom __future__")
    assert project.planned_jobs() == {}


def test_changed_figure_code_redraws_and_trains_nothing(project: Project) -> None:
    path = project.root / "src/lrtransfer/study/figures/style.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    assert set(project.planned_jobs()) == {f"draw_{EXPERIMENT}", "report"}


def test_changed_fit_code_refits_and_trains_nothing(project: Project) -> None:
    path = project.root / "src/lrtransfer/transfer/drift.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    jobs = set(project.planned_jobs())
    assert jobs == AFTER_TRAINING - {"index"}


def test_changed_spectrum_code_recomputes_spectra_and_trains_nothing(project: Project) -> None:
    path = project.root / "src/lrtransfer/study/spectra/spectrum.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    jobs = project.planned_jobs()
    assert not [name for name in jobs if name.startswith("train_")]
    assert len([name for name in jobs if name.startswith("spectra_width")]) == 2


def test_changed_model_code_retrains_its_runs(project: Project) -> None:
    path = project.root / "src/lrtransfer/study/models/residual_mlp.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    project.study("train_all")
    assert len(project.trained()) == 8


def test_a_new_model_file_retrains_nothing(project: Project) -> None:
    models = project.root / "src/lrtransfer/study/models"
    shutil.copy(models / "residual_mlp.py", models / "another_mlp.py")
    assert project.planned_jobs() == {}


def test_a_dry_run_of_a_thousand_runs_plans_them_all(project: Project) -> None:
    rates = [1.0, *(0.5 + i / 512 for i in range(249))]
    project.change(lambda grid: grid.update(learning_rates={"mup": rates}, seeds=[0, 1]))
    jobs = project.planned_jobs()
    assert len([name for name in jobs if name.startswith("train_")]) == 2
    assert "runs: 4 of 1000 finished" in project.run("lrtransfer", "status").stdout


def test_another_scale_writes_beside_the_default_one(project: Project) -> None:
    before = project.run_files()
    project.run("lrtransfer", "workflow", "train_all", "--scale", "smoke")
    assert project.run_files() == before
    assert len(list((project.root / "results/scales/smoke/runs").glob("*.parquet"))) == 4


def test_no_default_scale_run_needs_the_work_folder_to_count(project: Project) -> None:
    shutil.rmtree(project.root / ".lrtransfer")
    assert project.planned_jobs() == {}
    project.change(lambda grid: grid["learning_rates"].update(mup=[0.5, 1.0, 2.0]))
    project.study("train_all")
    assert len(project.trained()) == 2, "the published runs were kept as copies before the jobs"
