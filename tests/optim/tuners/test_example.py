"""The example runs, learns, and shows the edge of stability."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.process
def test_the_example_trains_at_the_edge_without_a_learning_rate() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "cdat.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    losses = [float(found) for found in re.findall(r"loss (\S+)", done.stdout)]
    products = [float(found) for found in re.findall(r"sharpness (\S+)", done.stdout)]
    assert len(losses) == len(products) == 6
    assert losses[-1] < 0.5 * losses[0]
    # H need not be positive semidefinite on a network; near its valley it almost is.
    assert min(products) > 1.95
