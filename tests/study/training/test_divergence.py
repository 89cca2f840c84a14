"""Losses that are no numbers end a run, say so in its file, and stop nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lrtransfer.study.storage.run_file import read_run, write_run
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.tiny import blobs, tiny_run


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_no_number_ends_the_run_as_diverged_data(
    value: float, tmp_path: Path
) -> None:
    run = tiny_run(measured=False)
    subject = TrainingRun(run.config, blobs(), torch.device("cpu"))
    update = subject.update_once

    def poisoned() -> None:
        update()
        if subject.progress.step == 4:
            subject.losses[3] = value

    subject.update_once = poisoned  # type: ignore[method-assign]
    log = subject.execute(Hooks())
    assert (log.status, log.diverged_step, len(log.losses)) == ("diverged", 4, 3)
    about = dict.fromkeys(("wall_seconds", "processor", "versions"))
    said = {
        "key": run.key,
        "config": run.config.to_json(),
        "status": log.status,
        "diverged_step": 4,
    }
    write_run(tmp_path / "run.parquet", log.losses, log.learning_rates, log.rows, {**about, **said})
    table, stored = read_run(tmp_path / "run.parquet", run.key)
    assert stored["status"] == "diverged"
    assert table["loss"].to_pylist()[1:] == log.losses
