"""A training job imports neither torch's compiler nor pandas, and can still be compiled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_TRAIN = """
import sys
import torch
from pathlib import Path
from lrtransfer.study.storage.run_file import read_run, write_run
from lrtransfer.study.workflow.light_start import leave_out_compiler

leave_out_compiler()
model = torch.nn.Linear(3, 2)
optimizer = torch.optim.{optimizer}(model.parameters(), lr=0.1)
model(torch.ones(4, 3)).sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
names = ("config", "status", "diverged_step", "wall_seconds", "processor", "versions")
about = dict.fromkeys(names, 1) | {{"key": "k"}}
write_run(Path("run.parquet"), [1.0], [0.1], {{0: {{"a": 1.0}}}}, about)
read_run(Path("run.parquet"), "k")
heavy = {{"pandas", "pyarrow.dataset", "sympy", "torch._dynamo.convert_frame"}} & set(sys.modules)
assert not heavy, heavy
compiled = torch.compile(model, backend="eager")
torch.testing.assert_close(compiled(torch.ones(1, 3)), model(torch.ones(1, 3)))
assert "torch._dynamo.convert_frame" in sys.modules
optimizer.step()
"""


@pytest.mark.process
@pytest.mark.parametrize("optimizer", ["AdamW", pytest.param("SGD", marks=pytest.mark.long)])
def test_a_job_imports_no_compiler_until_it_is_asked_for(tmp_path: Path, optimizer: str) -> None:
    code = _TRAIN.format(optimizer=optimizer)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
