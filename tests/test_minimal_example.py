"""The example that tells one claim whole trains bit for bit what the study trains."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.study.plan.catalog import load
from lrtransfer.study.training.run import Hooks, TrainingRun
from lrtransfer.study.workflow.start import select

from .test_examples import ROOT, output


@pytest.fixture
def minimal() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "examples" / "minimal.py"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arm", "width", "rate", "seed"),
    [("mup", 32, 2.0, 3), ("mup", 128, 0.5, 5), ("ntp", 64, 16, 4)],
)
def test_its_losses_are_the_studys_bit_for_bit(
    arm: str, width: int, rate: float, seed: int, minimal: dict[str, Any]
) -> None:
    plan = select(ROOT / "params.yaml", "laptop", "width_transfer_vision").plan
    (run,) = [
        run
        for run in plan.runs
        if (run.arm, run.width, run.learning_rate, run.seed) == (arm, width, rate, seed)
    ]
    (dataset,) = [d for d in plan.datasets if d.id == run.config.data]
    source = load("data", dataset.spec.source)(**dataset.spec.options)
    arrays = source.arrays(source.read())
    log = TrainingRun(run.config, arrays, torch.device("cpu")).execute(Hooks())
    trained = minimal["train"](arm, width, rate, seed, minimal["digits"]())
    assert trained.losses == log.losses
    assert len(log.losses) == minimal["STEPS"] == 256


def test_it_fits_in_150_lines() -> None:
    assert len((ROOT / "examples" / "minimal.py").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.slow
def test_a_smaller_grid_is_judged_too(
    minimal: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    main = minimal["main"]
    few = {"WIDTHS": (32, 64), "RATES": {"mup": [0.5, 1.0, 2.0], "ntp": [16.0, 32.0, 64.0]}}
    main.__globals__.update(few)
    main()
    shown = capsys.readouterr().out
    assert "μP loses less than NTP with the narrow net's learning rate: " in shown


@pytest.mark.process
@pytest.mark.long
def test_it_supports_its_claim(tmp_path: Path) -> None:
    shown = output("minimal.py", tmp_path)
    assert "μP loses less than NTP with the narrow net's learning rate: supported" in shown
    assert "ntp:\n  - The best rate rises with width" in shown
