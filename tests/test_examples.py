"""The example runs as a reader would run it, and shows what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lrtransfer

ROOT = Path(__file__).parents[1]


@pytest.mark.process
def test_own_model_shows_a_rate_that_transfers_under_mup_alone() -> None:
    paths = [str(Path(lrtransfer.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    found = subprocess.run(
        [sys.executable, ROOT / "examples" / "own_model.py"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    best: dict[tuple[str, int], int] = {}
    for name, width, rest in re.findall(r"(\w+), N = (\d+) (.*)", found.stdout):
        losses = [float(loss) for loss in rest.split()]
        best[name, int(width)] = losses.index(min(losses))
    assert best["mup_table8", 32] == best["mup_table8", 128]
    assert best["sp", 128] < best["sp", 32]


@pytest.mark.process
@pytest.mark.slow
def test_judge_tells_a_drift_and_predicts() -> None:
    paths = [str(Path(lrtransfer.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    found = subprocess.run(
        [sys.executable, ROOT / "examples" / "judge.py"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "The best rate falls with width" in found.stdout
    assert re.search(r"all 1024\.0 0\.0\d+", found.stdout)
