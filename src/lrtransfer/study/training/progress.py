"""How far a job is, and how long it will take: one line on stderr every few seconds."""

from __future__ import annotations

import re
import sys
import time
import unicodedata
from collections.abc import Sequence

from lrtransfer.study.plan.expand import Run
from lrtransfer.study.plan.run_config import RunConfig

LINE_SECONDS = 5.0
_ESCAPED = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Progress:
    """Time left in a job, from what its updates and its measurements took so far.

    Args:
        runs: All runs of the job, in the order in which they are worked on.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.waiting = {run.key: run for run in runs}
        self.total = len(runs)
        self.printed = self.last = time.monotonic()
        self.seconds = {"update": 0.0, "measurement": 0.0}
        self.counts = {"update": 0, "measurement": 0}
        self.done: dict[str, int] = {}

    def start(self) -> None:
        """Note that training of a run begins or goes on."""
        self.last = time.monotonic()

    def step(self, run: Run, step: int) -> None:
        """Note that `step` updates of `run` are done; print a line if one is due."""
        now = time.monotonic()
        self.done[run.key] = step
        kind = "measurement" if step in _measured_steps(run.config) else "update"
        self.seconds[kind] += now - self.last
        self.counts[kind] += 1
        self.last = now
        if now - self.printed >= LINE_SECONDS:
            self.printed = now
            self._print(run, step)

    def finish(self, run: Run) -> None:
        """Note that `run` is published."""
        self.waiting.pop(run.key, None)

    def _print(self, run: Run, step: int) -> None:
        left = sum(self._expected(o, self.done.get(o.key, 0)) for o in self.waiting.values())
        print(
            f"{run.experiment} {run.arm} width {run.width} depth {run.depth}: run "
            f"{self.total - len(self.waiting) + 1} of {self.total} (learning rate "
            f"{run.learning_rate:g}, seed {run.seed}), step {step} of {run.config.steps}; "
            f"about {duration(left)} left in this job",
            file=sys.stderr,
            flush=True,
        )

    def _expected(self, run: Run, step: int) -> float:
        measurements = sum(later > step for later in _measured_steps(run.config))
        update = self.seconds["update"] / max(self.counts["update"], 1)
        measurement = self.seconds["measurement"] / max(self.counts["measurement"], 1)
        return update * (run.config.steps - step) + measurement * measurements


def duration(seconds: float) -> str:
    """Return `40 s`, `12 min` or `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plain(text: str) -> str:
    """Return a text without control codes, which would move a terminal's cursor or colour it."""
    text = _ESCAPED.sub("", text)
    return "".join(c for c in text if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf"))


def _measured_steps(config: RunConfig) -> Sequence[int]:
    """Return the steps known beforehand; measurements by share count as part of the updates."""
    return (config.measure and config.measure.steps) or ()
