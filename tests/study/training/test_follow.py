"""Following a run shows what it logs, and changes nothing of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.study.plan.expand import Run
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.training import trackers
from lrtransfer.study.training.sweep import Job, train_runs
from tests.tiny import store_blobs, tiny_plan

LAYOUT = Layout()


@pytest.fixture(autouse=True)
def study_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty study with prepared data, and no service of others at hand."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")
    store_blobs(measured().config.data)
    return tmp_path


def measured() -> Run:
    return next(run for run in tiny_plan().sweeps[0].runs if run.measured)


def trained(follow: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Train the run anew under these trackers and return the rows of its file."""
    run = measured()
    monkeypatch.setenv(trackers.VARIABLE, follow)
    LAYOUT.run(run.key).unlink(missing_ok=True)
    (LAYOUT.work_run(run.key) / "run.parquet").unlink(missing_ok=True)
    assert train_runs([run], Job(LAYOUT, torch.device("cpu"))) == 1
    rows: list[dict[str, Any]] = read_run(LAYOUT.run(run.key), run.key)[0].to_pylist()
    return rows


def expected(rows: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Return each logged column as steps and values."""
    names = [name for name in rows[0] if name != "step"]
    return {
        name: [(row["step"], row[name]) for row in rows if row[name] is not None] for name in names
    }


@pytest.mark.slow
def test_tensorboard_shows_losses_rates_and_probes_as_they_were_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    alone = trained("", monkeypatch)
    assert trained("tensorboard", monkeypatch) == alone
    (events,) = trackers.FOLDER.rglob("events.out.*")
    assert measured().key in events.parent.name
    found = EventAccumulator(str(events.parent))
    found.Reload()
    logged = {
        name: [(event.step, event.value) for event in found.Scalars(name)]
        for name in found.Tags()["scalars"]
    }
    wanted = expected(alone)
    assert logged.keys() == wanted.keys() and "sharpness" in logged
    for name, points in wanted.items():
        assert [step for step, _ in logged[name]] == [step for step, _ in points]
        assert [v for _, v in logged[name]] == pytest.approx([v for _, v in points], rel=1e-6)


@pytest.mark.process
def test_wandb_keeps_a_run_offline_with_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    alone = trained("", monkeypatch)
    assert trained("wandb", monkeypatch) == alone
    (kept,) = trackers.FOLDER.rglob("*.wandb")
    assert measured().key in kept.name
    # What `wandb sync` would send: it holds the names of what was logged.
    content = kept.read_bytes()
    assert all(name.encode() in content for name in ("learning_rate", "sharpness", "batch_size"))
    wandb.teardown()


@pytest.mark.parametrize("asked", ["tensorbord", "wandb,comet"])
def test_an_unknown_tracker_is_refused_with_the_job(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trackers.VARIABLE, asked)
    monkeypatch.setattr(trackers, "find_spec", lambda name: object())
    with pytest.raises(ValueError, match=r"LRTRANSFER_FOLLOW asks for '(tensorbord|comet)'"):
        Job(LAYOUT, torch.device("cpu"))


def test_a_tracker_that_is_not_installed_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(trackers.VARIABLE, "tensorboard")
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install \"lrtransfer\[follow\]\""):
        trackers.asked()


def test_without_the_variable_nobody_follows() -> None:
    assert os.environ.get(trackers.VARIABLE) is None
    assert trackers.asked() == []
