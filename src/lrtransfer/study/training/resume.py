"""Saving and loading the state of an unfinished run."""

from __future__ import annotations

import sys
from pathlib import Path

from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.training.run import State, TrainingRun
from lrtransfer.study.training.tensors import load_tensors, save_tensors


def save_state(path: Path, run: TrainingRun, key: str) -> None:
    """Write the state of `run` to `path`."""
    state = run.state()
    rows = [[step, row] for step, row in state.rows.items()]
    about = {"key": key, "step": state.step, "rows": rows, "numbers": state.numbers}
    save_tensors(path, state.tensors, about)


def load_state(path: Path, run: TrainingRun, key: str) -> bool:
    """Bring `run` to the state at `path`; return False where there is none of use.

    A damaged state is named on stderr and left aside: the run then starts from the beginning.
    """
    try:
        tensors, about = load_tensors(path)
    except FileNotFoundError:
        return False
    except CorruptFileError as error:
        print(f"warning: {error} Starting this run from step 0.", file=sys.stderr, flush=True)
        return False
    if about.get("key") != key:
        return False
    try:
        rows = {int(step): row for step, row in about["rows"]}
        state = State(about["step"], rows, about["numbers"], tensors)
    except (KeyError, TypeError, ValueError):
        print(
            f"warning: {path} holds no state of a run. Starting this run from step 0.",
            file=sys.stderr,
            flush=True,
        )
        return False
    run.load_state(state)
    return True
