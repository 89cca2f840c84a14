"""The example of language models runs, and shows what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lrtransfer

ROOT = Path(__file__).parents[2]


@pytest.mark.process
def test_layers_and_directions_lie_below_the_whole() -> None:
    pytest.importorskip("transformers")
    paths = [str(Path(lrtransfer.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    found = subprocess.run(
        [sys.executable, ROOT / "examples" / "language_model.py"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    said = re.findall(r"(sharpness|layer \d alone|differences|gradient) (-?[\d.]+)", found.stdout)
    values = {name: float(value) for name, value in said}
    assert len(values) == 5
    whole = values.pop("sharpness")
    assert values.pop("differences") == pytest.approx(whole, rel=1e-2)
    assert all(value < whole for value in values.values())
