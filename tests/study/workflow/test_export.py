"""What was trained, in the form of other tools."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch

import lrtransfer as lt
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.training.sweep import Job, train_runs
from lrtransfer.study.workflow.export import export_runs, export_tables
from lrtransfer.study.workflow.stages import write_run_tables
from tests.tiny import EXPERIMENT, store_blobs, tiny_plan

LAYOUT = Layout()


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A tiny study whose runs are trained and tabled."""
    monkeypatch.chdir(tmp_path)
    made = tiny_plan()
    for dataset in {run.config.data for run in made.runs}:
        store_blobs(dataset)
    train_runs(made.runs, Job(LAYOUT, torch.device("cpu")))
    write_run_tables(made, LAYOUT, EXPERIMENT)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_has_a_row_for_each_run_with_its_configuration(kind: str, plan: Plan) -> None:
    (path,) = export_tables(plan, LAYOUT, Path("out"), kind)
    frame = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    assert set(frame["key"]) == {run.key for run in plan.runs}
    run = plan.runs[0]
    row = frame.set_index("key").loc[run.key]
    assert row["config/learning_rate"] == run.learning_rate == row["lr"]
    assert row["config/model/width"] == run.width
    judged = lt.judge(frame, size="width", rate="lr", loss="final_loss", seed="seed", arm="arm")
    assert set(judged.optima["arm"]) == {run.arm for run in plan.runs}


@pytest.mark.slow
def test_a_tracker_is_shown_every_run(plan: Plan) -> None:
    pytest.importorskip("tensorboard")
    assert export_runs(plan, LAYOUT, Path("out"), "tensorboard") == len(plan.runs)
    assert len(list(Path("out").rglob("events.out.*"))) == len(plan.runs)


def test_runs_that_lie_elsewhere_are_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="lrtransfer restore"):
        export_runs(tiny_plan(), LAYOUT, Path("out"), "tensorboard")
