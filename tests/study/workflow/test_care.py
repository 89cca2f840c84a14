"""The care of results: status, prune, adopt, claims, check; each by its command."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
import yaml

from tests.study.workflow.project import EXPERIMENT, Project

pytestmark = pytest.mark.workflow


def test_status_of_a_finished_study(project: Project) -> None:
    output = project.run("lrtransfer", "status").stdout
    assert "runs: 4 of 4 finished" in output
    assert "spectra: 2 of 2 finished" in output
    assert "prune" not in output


def test_status_names_the_changed_file_that_made_runs_stale(project: Project) -> None:
    path = project.root / "src/lrtransfer/study/models/residual_mlp.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    output = project.run("lrtransfer", "status").stdout
    assert "runs: 0 of 4 finished" in output
    assert "4 missing: the code changed (study/models/residual_mlp.py)" in output
    assert "4 stored runs are asked for by nothing" in output


def test_status_names_the_changed_field(project: Project) -> None:
    project.change(lambda grid: grid.update(batch_size=8))
    assert "params.yaml changed (batch_size)" in project.run("lrtransfer", "status").stdout


def test_status_names_damaged_files(project: Project) -> None:
    run = project.run_files()[0]
    run.write_bytes(run.read_bytes()[:100])
    output = project.run("lrtransfer", "status").stdout
    assert f"damaged: results/runs/{run.name}" in output


def test_prune_lists_what_is_not_asked_for_and_removes_it_only_when_told(
    project: Project,
) -> None:
    kept = project.run_files()[0]
    project.change(lambda grid: grid.update(widths=[8]))
    listed = project.run("lrtransfer", "prune").stdout
    assert "nothing removed" in listed
    assert len(project.run_files()) == 4
    project.run("lrtransfer", "prune", "--yes")
    assert len(project.run_files()) == 2
    assert len(list((project.root / "results/checkpoints").iterdir())) == 1
    assert len(list((project.root / "results/spectra/runs").iterdir())) == 1
    assert "nothing to prune" in project.run("lrtransfer", "prune").stdout
    assert kept.parent.is_dir()


def test_prune_keeps_the_runs_of_experiments_that_are_only_hidden(project: Project) -> None:
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    params["study"]["another"] = {**params["study"][EXPERIMENT], "group": "extra"}
    params["study"][EXPERIMENT]["group"] = "extra"
    params["study"]["another"]["group"] = "core"
    project.write_params(params)
    assert "nothing to prune" in project.run("lrtransfer", "prune").stdout


def test_adopt_rekeys_finished_runs_after_a_harmless_refactoring(project: Project) -> None:
    path = project.root / "src/lrtransfer/study/training/run.py"
    path.write_text(path.read_text() + "\nUNUSED = 1\n")
    output = project.run("lrtransfer", "adopt", "--sample", "1").stdout
    assert "adopted 2 runs" in output
    assert len(project.trained()) == 4 + 2, "one of the measured and one of the other kind"
    assert "runs: 4 of 4 finished" in project.run("lrtransfer", "status").stdout
    project.study("train_all")
    assert len(project.trained()) == 4 + 2


def test_adopt_refuses_code_that_changes_results(project: Project) -> None:
    project.edit_source(
        "study/losses/cross_entropy.py", "(outputs.flatten(", "(1.5 * outputs.flatten("
    )
    done = project.run("lrtransfer", "adopt", "--sample", "1", check=False)
    assert done.returncode == 1
    assert "differs from" in done.stdout
    assert "Nothing was adopted" in done.stdout
    assert "runs: 1 of 4 finished" in project.run("lrtransfer", "status").stdout


def test_claims_prints_the_ledger_that_the_study_wrote(project: Project) -> None:
    records = json.loads((project.root / "results/claims.json").read_text())
    assert {record["experiment"] for record in records} == {EXPERIMENT, "all"}
    output = project.run("lrtransfer", "claims").stdout
    # Two widths leave none to hold out: of the predictor there is nothing to say.
    of_predictor = {r["id"] for r in records if r["experiment"] == "all" and r["value"] is None}
    assert {r["id"] for r in records if r["id"] in output} == {
        r["id"] for r in records
    } - of_predictor
    assert len(of_predictor) == 1


def test_check_prints_runs_and_cost(project: Project) -> None:
    output = project.run("lrtransfer", "check").stdout
    assert "2 sweeps, 4 runs (2 with curvature), 2 spectra" in output
    assert "of one core of this machine" in output


def test_a_faulty_study_stops_every_way_in_with_status_2(project: Project) -> None:
    project.change(lambda grid: grid.update(stepz=3))
    for command in (("lrtransfer", "check"), ("lrtransfer", "workflow"), ("snakemake", "-n")):
        done = project.run(*command, check=False)
        assert done.returncode == 2, done.stdout
        assert f"study.{EXPERIMENT}.stepz: unknown field" in done.stdout
        assert "Traceback" not in done.stdout


def test_a_diverged_run_is_data(project: Project) -> None:
    project.change(lambda grid: grid["arms"]["mup"].update(lr=[0.5, 1.0, 1.0e9]))
    project.study()
    output = project.run("lrtransfer", "status").stdout
    assert "runs: 6 of 6 finished" in output
    runs = pq.read_table(project.root / f"results/tables/{EXPERIMENT}.runs.parquet")
    assert runs["status"].to_pylist().count("diverged") == 2
