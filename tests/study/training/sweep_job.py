"""A process that trains a slow sweep: ``sweep_job.py MODE``, in the study's folder.

``train`` trains; ``parent`` starts a trainer, prints its process number and waits.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrtransfer.study.plan.expand import Run

SAVE_SECONDS = 0.02
STEP_SECONDS = 0.03


def slow_runs(steps: int = 400) -> Sequence[Run]:
    """Return the two runs of the slow sweep: long enough to be interrupted on a busy machine."""
    from tests.tiny import tiny_grid, tiny_params, tiny_plan

    content = tiny_params()
    tiny_grid(content)["steps"] = steps
    return tiny_plan(content).sweeps[0].runs[2:4]


def main() -> None:
    """Do what the command line asks for."""
    if sys.argv[1] == "parent":
        command = [sys.executable, "-m", "tests.study.training.sweep_job", "train"]
        with subprocess.Popen(command) as child:
            print(child.pid, flush=True)
            time.sleep(60)
        return
    import torch

    from lrtransfer.study.storage.paths import Layout
    from lrtransfer.study.training import sweep

    torch.set_num_threads(1)
    sweep.Progress.step = lambda *about: time.sleep(STEP_SECONDS)  # type: ignore[attr-defined, method-assign]
    job = sweep.Job(Layout(), torch.device("cpu"), save_seconds=SAVE_SECONDS)
    try:
        sweep.train_runs(slow_runs(), job)
    except sweep.StoppedError as error:
        print(error, file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
