"""The design's caching table: what each event makes run, counted in trained runs.

Of its rows, kills are in test_interruption and test_faults, DVC, clones and older versions in
test_sharing, damaged files in test_corruption.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.study.workflow.project import CLAIMS, EXPERIMENT, TINY, Project

pytestmark = pytest.mark.workflow

PACKAGE = "src/lrtransfer"
ESTIMATE, DRAW = f"estimate_{EXPERIMENT}", f"draw_{EXPERIMENT}"
TABLES = {f"tables_{EXPERIMENT}", f"spectra_table_{EXPERIMENT}"}


def test_nothing_runs_where_nothing_changed_but_times_and_the_cut_into_jobs(
    project: Project,
) -> None:
    output = project.study().stdout
    assert "Nothing to be done" in output
    assert len(project.trained()) == 4
    for file in (project.root / "data/prepared").rglob("*.*"):
        file.touch()
    assert project.planned_jobs() == {}
    assert project.planned_jobs("--config", "runs_per_job=1") == {}
    project.run_files()[0].unlink()
    jobs = project.planned_jobs("--config", "runs_per_job=1")
    assert [n for name, n in jobs.items() if name.startswith("train_") and name != "train_all"] == [
        1
    ]


def test_longer_axes_train_only_the_new_runs_and_taking_them_back_trains_none(
    project: Project,
) -> None:
    params = (project.root / "params.yaml").read_text()
    before = {path.name: path.read_bytes() for path in project.run_files()}
    _with_another_arm(project)
    project.study("train_all")
    assert len(project.trained()) == 4 + 2, "two widths of the new arm"
    longer = {"widths": [8, 16, 32], "seeds": [0, 1]}

    def lengthen(own: dict[str, Any]) -> None:
        own.update(longer)
        own["arms"]["mup"].update(lr=[0.5, 1.0, 2.0])

    project.change(lengthen)
    project.study("prepare_all")
    assert len(project.trained()) == 4 + 2, "tables are stale, but were not asked for"
    project.study("train_all")
    assert len(project.trained()) == len(set(project.trained())) == 3 * 2 * 4
    after = {path.name: path.read_bytes() for path in project.run_files()}
    assert {name: after[name] for name in before} == before

    (project.root / "params.yaml").write_text(params)
    project.study()
    assert len(project.trained()) == 3 * 2 * 4
    assert "runs: 4 of 4 finished" in project.run("lrtransfer", "status").stdout

    # Snakemake has no record of how the tables were made, as in a clone.
    shutil.rmtree(project.root / ".snakemake/metadata")
    project.change(lambda own: own["arms"]["mup"].update(lr=[0.5, 1.0]))
    project.study()
    table = pd.read_parquet(project.root / f"results/tables/{EXPERIMENT}.runs.parquet")
    assert set(table["lr"]) == {0.5, 1.0}


def _with_another_arm(project: Project) -> None:
    path = project.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    experiment = params["study"][EXPERIMENT]
    experiment["arms"]["ntp"] = {
        "label": "NTP",
        "parameterization": "ntp",
        "lr": 4.0,
    }
    project.write_params(params)


def test_a_deleted_run_file_trains_that_run_alone_and_nothing_where_a_copy_is_left(
    project: Project,
) -> None:
    deleted = project.run_files()[0]
    content = deleted.read_bytes()
    deleted.unlink()
    project.study()
    assert deleted.read_bytes() == content
    assert len(project.trained()) == 4
    deleted.unlink()
    shutil.rmtree(project.root / ".lrtransfer/jobs/results/runs" / deleted.stem)
    project.study("train_all")
    assert project.trained()[4:] == [deleted.stem]
    assert deleted.exists()


def test_a_comment_a_docstring_or_a_new_model_file_runs_nothing(project: Project) -> None:
    project.edit_source("study/training/run.py", '"""One run:', '"""A single run:')
    project.edit_source("study/training/run.py", "\nimport time\n", "\nimport time  # a remark\n")
    project.edit_source("transfer/drift.py", "from __future__", "# a remark\nfrom __future__")
    project.edit_source("study/workflow/stages.py", "from __future__", "# more\nfrom __future__")
    models = project.root / PACKAGE / "study/models"
    shutil.copy(models / "residual_mlp.py", models / "another_mlp.py")
    params = project.root / "params.yaml"
    params.write_text(f"# a remark\n{params.read_text()}")
    assert project.planned_jobs() == {}


def test_changed_code_reruns_its_stage_and_those_after_it_and_trains_nothing(
    project: Project,
) -> None:
    expected = {
        "study/figures/style.py": {DRAW, "report"},
        "study/workflow/reporting.py": {DRAW, "report"},
        "transfer/drift.py": {ESTIMATE, "ledger", DRAW, "report"},
        "transfer/held_out.py": {ESTIMATE, "ledger", DRAW, "report"},
        "study/workflow/stages.py": {*TABLES, ESTIMATE, "ledger", DRAW, "report"},
    }
    for file, stages in expected.items():
        with _changed(project.root / PACKAGE / file):
            assert set(project.planned_jobs()) == stages, file
    with _changed(project.root / PACKAGE / "study/spectra/spectrum.py"):
        jobs = project.planned_jobs()
    assert not [name for name in jobs if name.startswith("train_")]
    assert len([name for name in jobs if name.startswith("spectra_width")]) == 2


@contextmanager
def _changed(path: Path) -> Iterator[None]:
    """Give a file another meaning inside the block."""
    text = path.read_text()
    path.write_text(f"{text}\nUNUSED = 1\n")
    yield
    path.write_text(text)


def test_a_claim_added_or_changed_rejudges_and_fits_and_trains_nothing(project: Project) -> None:
    project.write_claims(CLAIMS + CLAIMS.split("\n", 1)[1].replace("stays", "stays_too"))
    assert set(project.planned_jobs()) == {"ledger", "report"}
    project.study()
    assert project.planned_jobs() == {}
    ledger = json.loads((project.root / "results/claims.json").read_text(encoding="utf-8"))
    found = {record["id"] for record in ledger if record["experiment"] != "all"}
    assert found == {"mup_optimum_stays", "mup_optimum_stays_too"}
    project.write_claims(CLAIMS.replace("[-0.1, 0.1]", "[-0.2, 0.2]"))
    assert set(project.planned_jobs()) == {"ledger", "report"}
    project.study()
    project.write_claims("# a remark\n" + CLAIMS.replace("[-0.1, 0.1]", "[-0.2, 0.2]"))
    assert project.planned_jobs() == {}


def test_a_changed_confidence_predicts_and_rejudges_and_trains_nothing(project: Project) -> None:
    path = project.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["fits"] = {"confidence": 0.9}
    project.write_params(params)
    assert set(project.planned_jobs()) == {ESTIMATE, "ledger", DRAW, "report"}


def test_a_changed_model_retrains_its_runs(project: Project) -> None:
    with _changed(project.root / PACKAGE / "study/models/residual_mlp.py"):
        project.study("train_all")
    assert len(project.trained()) == 8


def test_a_dry_run_of_a_thousand_runs_plans_them_all(project: Project) -> None:
    rates = [1.0, *(0.5 + i / 512 for i in range(249))]
    mup = TINY["arms"]["mup"] | {"lr": rates}
    project.change(lambda grid: grid.update(arms={"mup": mup}, seeds=[0, 1]))
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
    project.change(lambda grid: grid["arms"]["mup"].update(lr=[0.5, 1.0, 2.0]))
    project.study("train_all")
    assert len(project.trained()) == 2, "the published runs were kept as copies before the jobs"


def test_a_narrowed_selection_leaves_the_work_tree_clean(project: Project) -> None:
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    other = {**params["study"][EXPERIMENT], "group": "extra", "figures": []}
    # The same runs, so that nothing more is trained.
    params["study"]["another"] = other
    project.write_params(params)
    project.run("git", "init", "-q", "-b", "main")
    # As DVC does.
    (project.root / "results/.gitignore").write_text("/runs\n/checkpoints\n/report.html\n")
    project.run("lrtransfer", "workflow", "all", "--experiments", "all")
    ledger = (project.root / "results/claims.json").read_bytes()
    project.commit("both")
    for chosen in (EXPERIMENT, "another"):
        project.run("lrtransfer", "workflow", "all", "--experiments", chosen)
        assert project.run("git", "status", "--porcelain").stdout == ""
        assert (project.root / "results/claims.json").read_bytes() == ledger
    assert len(project.trained()) == 4
