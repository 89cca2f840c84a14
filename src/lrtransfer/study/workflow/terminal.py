"""What a study shows while it runs: a line that says how far it is, and at the end what failed.

Plain text, without a control code but the carriage return by which a terminal's line is rewritten.
"""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from shutil import get_terminal_size
from typing import TextIO

from lrtransfer.study.training.progress import duration, plain
from lrtransfer.study.workflow.forecast import Forecast

# A rule's name begins with one of these, the longer of two first.
_STAGES = {
    "prepare_": "data",
    "train_": "training",
    "spectra_table_": "tables",
    "spectra_": "spectra",
    "tables_": "tables",
    "estimate_": "estimates",
    "ledger": "ledger",
    "draw_": "figures",
    "report": "report",
}
# These make no file: they ask for those of a stage.
_ASKING = ("all", "prepare_all", "train_all", "spectra_all", "evidence_all", "figures_all")
_REWRITTEN_SECONDS = 1.0
_PRINTED_SECONDS = 30.0
# Of a job beside its training, until some were measured.
_JOB_SECONDS = 5.0
_LOG_LINES = 15
_LOGS_SHOWN = 3


@dataclass(frozen=True)
class FailedJob:
    """A job that failed: its number and rule, its logs, and what it should have made."""

    number: int
    rule: str
    logs: list[str]
    outputs: list[str]


@dataclass
class Stage:
    """How far the jobs of one stage are."""

    total: int = 0
    done: int = 0
    began: float | None = None
    seconds: float = 0.0


@dataclass
class Terminal:
    """The lines of one call of Snakemake; its methods are called from several threads.

    Attributes:
        stream: Where they go.
        slots: Jobs at a time.
        foresee: Rules with the number of their jobs -> a forecast of the training.
        options: What a command that repeats a job needs besides its name.
        logs: Where the jobs' logs are, and Snakemake's own.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    slots: int = 1
    foresee: Callable[[Mapping[str, int]], Forecast | None] = lambda rules: None
    options: Sequence[str] = ()
    logs: Sequence[str] = ()
    stages: dict[str, Stage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._forecast: Forecast | None = None
        self._rules: Mapping[str, int] = {}
        self._running: dict[int, tuple[str, float]] = {}
        self._failed: dict[int, FailedJob] = {}
        self._began = time.monotonic()
        self._shown = ""
        self._opened = self._stopped = self._closed = False

    def expect(self, rules: Mapping[str, int]) -> None:
        """Note how many jobs each rule has."""
        with self._lock:
            self._rules = rules
            counts: Counter[str] = Counter()
            for rule, count in rules.items():
                if stage := _stage(rule):
                    counts[stage] += count
            for name in dict.fromkeys([*_STAGES.values(), *counts]):
                if count := counts[name]:
                    self.stages.setdefault(name, Stage()).total = count

    @property
    def total(self) -> int:
        """How many jobs there are, without those that make no file."""
        return sum(stage.total for stage in self.stages.values())

    @property
    def done(self) -> int:
        """How many of them are done."""
        return sum(stage.done for stage in self.stages.values())

    def start(self, number: int, rule: str) -> None:
        """Note that a job was started or submitted."""
        with self._lock:
            if name := _stage(rule):
                now = time.monotonic()
                self._open()
                self._running[number] = name, now
                stage = self.stages.setdefault(name, Stage())
                stage.began = stage.began or now

    def finish(self, number: int) -> None:
        """Note that a job is done; print a line if it was the last of its stage."""
        with self._lock:
            self._failed.pop(number, None)
            if number not in self._running:
                return
            name, began = self._running.pop(number)
            stage, now = self.stages[name], time.monotonic()
            stage.done += 1
            stage.seconds += now - began
            if stage.done == stage.total:
                took = duration(now - (stage.began or now))
                self.say(f"{name}: {_jobs(stage.total)} done in {took}")

    def fail(self, job: FailedJob) -> None:
        """Note that a job failed; it may yet succeed at another attempt."""
        with self._lock:
            self._running.pop(job.number, None)
            if not self._stopped:
                self._failed[job.number] = job

    def stop(self) -> None:
        """Note that the user stops the study: what fails from now on was stopped."""
        with self._lock:
            if not self._stopped:
                self._stopped = True
                self.say("stopping: waiting for the running jobs")

    def say(self, text: str) -> None:
        """Print a text that stays."""
        with self._lock:
            self._erase()
            self._write("".join(f"{plain(line)}\n" for line in text.splitlines()))

    def line(self) -> str:
        """Return how far the study is, and about how long the rest takes."""
        busy = {name for name, _ in self._running.values()}
        parts = [
            f"{name} {stage.done} of {stage.total}"
            for name, stage in self.stages.items()
            if name in busy
        ]
        if self._forecast and self._forecast.waiting and "training" in busy:
            parts.append(f"{self._forecast.trained} of {self._forecast.total} runs trained")
        done = ", ".join(parts) or f"{self.done} of {self.total} jobs"
        return f"{done}; {left} left" if (left := self._left()) else done

    def close(self) -> None:
        """Print how it ended: what failed, its log's last lines, and what repeats it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._erase()
            took = duration(time.monotonic() - self._began)
            if self._failed:
                self._explain(took)
            if self._stopped:
                self.say(f"stopped after {took}; the same command goes on from here")
            elif self.total and self.done == self.total:
                self.say(f"{_jobs(self.total)} done in {took}")

    def _open(self) -> None:
        """Print what is to do, and begin with the line."""
        if self._opened:
            return
        self._opened = True
        self._forecast = self.foresee(self._rules)
        about = [f"{_jobs(self.total)}, {self.slots} at a time"]
        about += [left] if (left := self._left()) else []
        about += [f"logs: {', '.join(self.logs)}"] if self.logs else []
        self.say("; ".join(about))
        self.say(", ".join(f"{name} {stage.total}" for name, stage in self.stages.items()))
        threading.Thread(target=self._watch, daemon=True).start()

    def _explain(self, took: str) -> None:
        failed = list(self._failed.values())
        for job in failed[:_LOGS_SHOWN]:
            self.say(f"\nerror: {job.rule} failed.")
            for log in job.logs:
                self.say(_end_of(Path(log)))
            self.say(f"repeat it alone: {repeating(job, self.options)}")
        if others := [job.rule for job in failed[_LOGS_SHOWN:]]:
            self.say(f"\nerror: these failed too: {', '.join(others)}")
        left = self.total - self.done - len(failed)
        self.say(
            f"\n{len(failed)} of {_jobs(self.total)} failed after {took}, {self.done} are done"
            + (f", {left} were not started" if left > 0 else "")
            + (f"; logs: {', '.join(self.logs)}" if self.logs else "")
        )

    def _watch(self) -> None:
        """Show the line every so often: rewritten on a terminal, else printed."""
        rewritten = self.stream.isatty()
        while True:
            time.sleep(_REWRITTEN_SECONDS if rewritten else _PRINTED_SECONDS)
            with self._lock:
                if self._closed:
                    return
                if not self._running:
                    continue
                if not rewritten:
                    self.say(self.line())
                    continue
                shown = self.line()[: get_terminal_size().columns - 1]
                self._erase(keep=len(shown))
                self._write(f"\r{shown}")
                self._shown = shown

    def _erase(self, keep: int = 0) -> None:
        """Overwrite what is left of the line, or what is longer than `keep`."""
        if len(self._shown) > keep:
            self._write(f"\r{' ' * len(self._shown)}\r")
        self._shown = ""

    def _write(self, text: str) -> None:
        encoding = self.stream.encoding or "utf-8"
        # Where the terminal is closed the study goes on.
        with suppress(OSError, ValueError):
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
            self.stream.flush()

    def _left(self) -> str:
        """Say how long the rest takes: what training is forecast, and what each job adds to that.

        A job adds its start and, of other stages, its work: on the average of those of its stage
        that were measured, or of all.
        """
        if self._forecast is None:
            return ""
        now = time.monotonic()
        training = [now - began for name, began in self._running.values() if name == "training"]
        seconds = self._forecast.seconds_left(len(training))
        if seconds is None:
            return ""
        each = {name: s.seconds / s.done for name, s in self.stages.items() if s.done}
        if "training" in each:
            stage = self.stages["training"]
            spare = stage.seconds + sum(training) - self._forecast.measured
            each["training"] = max(spare, 0.0) / (stage.done + len(training))
        usual = sum(each.values()) / len(each) if each else _JOB_SECONDS
        seconds += sum(each.get(n, usual) * (s.total - s.done) for n, s in self.stages.items())
        slots = max(min(self.slots, self.total - self.done), 1)
        return f"about {duration(seconds / slots)}"


@cache
def terminal() -> Terminal:
    """Return the terminal of this process."""
    return Terminal()


def repeating(job: FailedJob, options: Sequence[str] = ()) -> str:
    """Return the command that runs one job again, with what it lacks."""
    wanted = job.rule if job.rule != "train_run" else job.outputs[0]
    folder = Path(sys.executable).parent
    here = folder.is_relative_to(Path.cwd())
    program = str(folder.relative_to(Path.cwd()) / "lrtransfer") if here else "lrtransfer"
    return shlex.join([program, "workflow", wanted, *options])


def _stage(rule: str) -> str:
    """Return the stage of a rule; the rule's own name for others; empty if it makes no file."""
    if rule in _ASKING or rule == "total":
        return ""
    return next((stage for start, stage in _STAGES.items() if rule.startswith(start)), rule)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _end_of(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"{log}: {error.strerror or error}"
    if not lines:
        return f"{log} is empty: ended from outside, by a limit of time or memory?"
    shown = "\n".join(f"  | {line}" for line in lines[-_LOG_LINES:])
    return f"The end of {log}:\n{shown}"
