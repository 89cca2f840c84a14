"""One job: train what is missing of some runs, and publish every one of them.

Snakemake deletes a job's declared files before it starts and after it fails. Finished logs and
unfinished states therefore live in the work folder, which nobody else touches: a finished run is
published by a hard link from there, so a restarted job trains only what was never finished.
"""

from __future__ import annotations

import json
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from lrtransfer.study.data import Arrays
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan.expand import Run
from lrtransfer.study.plan.parts import load
from lrtransfer.study.storage.atomic import append_line, link
from lrtransfer.study.storage.locks import locked
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run, write_run
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.starter import starter_lives
from lrtransfer.study.training.device import processor
from lrtransfer.study.training.distributed.replicas import Replicas, SingleProcess
from lrtransfer.study.training.follow import followed
from lrtransfer.study.training.progress import Progress
from lrtransfer.study.training.resume import load_state, save_state
from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from lrtransfer.study.training.streams import generator
from lrtransfer.study.training.tensors import load_tensors, save_tensors
from lrtransfer.study.training.trackers import asked

SAVE_SECONDS = 20.0
# A trainer whose scheduler was just killed needs a moment to save and let go of its run.
LOCK_WAIT_SECONDS = 60.0
# Positions in the stream of the weights, which are drawn at none.
_CONSTRUCTION, _STEP = 1, 2
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StoppedError(RuntimeError):
    """The job was asked to stop, or lost its parent; its state is saved."""


@dataclass(frozen=True)
class Job:
    """Where a sweep's runs are computed, kept and shown, and by which processes together.

    Raises:
        ValueError: LRTRANSFER_FOLLOW asks for what is not there (`trackers.asked`).
    """

    layout: Layout
    device: torch.device
    save_seconds: float = SAVE_SECONDS
    replicas: Replicas = field(default_factory=SingleProcess)
    followers: Sequence[str] = field(default_factory=asked)


def train_runs(runs: Sequence[Run], job: Job) -> int:
    """Publish every run in `runs`, training those without a finished copy; return their number.

    Of processes that train together each calls this with the same runs; one writes.

    Raises:
        CorruptFileError: The prepared data are damaged.
        LockHeldError: Another process is training one of the runs.
        ValueError: Runs are to train as one (`batched`), and each in several processes.
        StoppedError: SIGTERM, SIGINT or SIGHUP arrived, or the parent died; call again to go on.
    """
    progress = Progress(runs)
    # Read and hashed once, not for every run.
    arrays = cache(load_arrays)
    trained = 0
    with _StopSignal() as stop:
        for group in _together(runs):
            with ExitStack() as held:
                for run in group:
                    held.enter_context(_held(run, job))
                missing = [
                    run
                    for run in group
                    if not job.replicas.broadcast(partial(_finished, run, job.layout))
                ]
                if missing:
                    progress.start()
                    if missing[0].config.batched is None or job.replicas.count > 1:
                        _train(missing[0], job, arrays, stop, progress)
                    else:
                        _train_batched(missing, job, arrays, stop, progress)
                    trained += len(missing)
                for run in group if job.replicas.leads else ():
                    _publish(run, job.layout)
            for run in group:
                progress.finish(run)
    return trained


def _together(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Yield the runs by which of them may train as one: alike but for rate and seed."""
    alike: dict[str, list[Run]] = {}
    for run in runs:
        config = replace(run.config, learning_rate=0.0, seed=0)
        alike.setdefault(run.key if config.batched is None else repr(config), []).append(run)
    for group in alike.values():
        most = group[0].config.batched or 1
        yield from (group[first : first + most] for first in range(0, len(group), most))


def _held(run: Run, job: Job) -> AbstractContextManager[None]:
    if not job.replicas.leads:
        return nullcontext()
    about = f"process {os.getpid()} on {platform.node()} (run {run.key})"
    return locked(job.layout.work_run(run.key) / "lock", about, wait_seconds=LOCK_WAIT_SECONDS)


def _finished(run: Run, layout: Layout) -> bool:
    """Return whether the work folder holds the run's log and all its checkpoints, undamaged."""
    folder = layout.work_run(run.key)
    try:
        read_run(folder / "run.parquet", run.key)
        for step in run.checkpoints:
            path = folder / f"{step}.safetensors"
            if load_tensors(path)[1].get("key") != run.key:
                raise CorruptFileError(path, "holds another run's weights")
    except FileNotFoundError:
        return False
    except CorruptFileError as error:
        print(f"warning: {error} Training this run again.", file=sys.stderr, flush=True)
        error.path.unlink()
        return False
    return True


def _publish(run: Run, layout: Layout) -> None:
    folder = layout.work_run(run.key)
    for step in run.checkpoints:
        link(folder / f"{step}.safetensors", layout.checkpoint(run.key, step))
    link(folder / "run.parquet", layout.run(run.key))


def _train(
    run: Run,
    job: Job,
    arrays: Callable[[str], Arrays],
    stop: _StopSignal,
    progress: Progress,
) -> None:
    folder, replicas = job.layout.work_run(run.key), job.replicas
    # The copies start alike; then each draws for samples of its own.
    own = (replicas.rank,) if replicas.rank else ()
    _seed(run, _CONSTRUCTION)
    training = replicas.training_run(run.config, arrays(run.config.data), job.device)
    state = folder / "state.safetensors"
    seconds_before = _seconds(folder)
    # The others take up what the leading process found undamaged.
    resumed = replicas.broadcast(lambda: load_state(state, training, run.key))
    if resumed and not replicas.leads and not load_state(state, training, run.key):
        raise CorruptFileError(state, "the leading process has read it, this one cannot")
    # The leading process may be done at once and remove the state: not before all have read it.
    replicas.barrier()
    began = saved = time.monotonic()

    def save(current: TrainingRun) -> None:
        nonlocal saved
        saved = time.monotonic()
        save_state(state, current, run.key)
        _note_seconds(folder, seconds_before + saved - began)

    def after_step(step: int, current: TrainingRun) -> None:
        _seed(run, _STEP, step, *own)
        stopping = replicas.any_raised(stop.requested)
        if replicas.leads:
            progress.step(run, step)
        if stopping:
            replicas.broadcast(lambda: save(current))
            raise StoppedError(f"run {run.key} stopped at step {step}; its state is saved")
        if replicas.leads and time.monotonic() - saved > job.save_seconds:
            save(current)

    def checkpoint(step: int, weights: dict[str, Tensor]) -> None:
        save_tensors(folder / f"{step}.safetensors", weights, _checkpoint_about(run, step, "ok"))

    _seed(run, _STEP, training.progress.step, *own)
    if not replicas.leads:
        training.execute(Hooks(after_step=after_step))
        return
    with followed(run, training, job.followers) as show:

        def after_shown(step: int, current: TrainingRun) -> None:
            show()
            after_step(step, current)

        log = training.execute(Hooks(checkpoint, after_shown, run.checkpoints))
        show()
    _record(run, log, seconds_before + time.monotonic() - began, job)


def _seed(run: Run, *position: int) -> None:
    """Seed torch's own generators: a model of one's own may draw, as dropout does.

    By the step, so that a run that goes on draws what one without a stop does.
    """
    torch.manual_seed(generator("initialisation", run.config.seed, *position).initial_seed())


def _train_batched(
    runs: Sequence[Run],
    job: Job,
    arrays: Callable[[str], Arrays],
    stop: _StopSignal,
    progress: Progress,
) -> None:
    """Train runs as one; what a job killed amid saving left at different steps, step by step."""
    config = runs[0].config
    batch = load("batched", config.batched)(
        [run.config for run in runs], arrays(config.data), job.device
    )
    members = list(zip(runs, batch.runs, strict=True))
    folders = [job.layout.work_run(run.key) for run in runs]
    reached: dict[int, list[Run]] = {}
    for (run, training), folder in zip(members, folders, strict=True):
        load_state(folder / "state.safetensors", training, run.key)
        reached.setdefault(training.progress.step, []).append(run)
    if len(reached) > 1:
        for part in reached.values():
            _train_batched(part, job, arrays, stop, progress)
        return
    before = [_seconds(folder) for folder in folders]
    began = saved = time.monotonic()

    def seconds(place: int) -> float:
        return before[place] + (time.monotonic() - began) / len(runs)

    def save() -> None:
        nonlocal saved
        saved = time.monotonic()
        batch.unstack()
        for place, ((run, training), folder) in enumerate(zip(members, folders, strict=True)):
            save_state(folder / "state.safetensors", training, run.key)
            _note_seconds(folder, seconds(place))

    def after_step(step: int) -> None:
        for show in shows:
            show()
        for run in runs:
            progress.step(run, step)
        if stop.requested:
            save()
            keys = ", ".join(run.key for run in runs)
            raise StoppedError(f"runs {keys} stopped at step {step}; their states are saved")
        if time.monotonic() - saved > job.save_seconds:
            save()

    with ExitStack() as shown:
        shows = [
            shown.enter_context(followed(run, training, job.followers)) for run, training in members
        ]
        logs = batch.execute(after_step)
        for show in shows:
            show()
    for place, (run, log) in enumerate(zip(runs, logs, strict=True)):
        _record(run, log, seconds(place), job)


def _record(run: Run, log: Log, seconds: float, job: Job) -> None:
    """Write what a finished run leaves, in the work folder."""
    folder = job.layout.work_run(run.key)
    if log.diverged_step is not None:
        for step in run.checkpoints:
            if step >= log.diverged_step:
                about = _checkpoint_about(run, step, log.status)
                save_tensors(folder / f"{step}.safetensors", {}, about)
    about = _about(run, log, seconds, job)
    write_run(folder / "run.parquet", log.losses, log.learning_rates, log.rows, about)
    (folder / "state.safetensors").unlink(missing_ok=True)
    entry = {"key": run.key, "status": log.status, "seconds": about["wall_seconds"]}
    append_line(job.layout.journal, json.dumps({"time": time.strftime("%FT%T%z"), **entry}))


def _checkpoint_about(run: Run, step: int, status: str) -> dict[str, Any]:
    return {"key": run.key, "step": step, "status": status, "config": run.config.to_json()}


def _about(run: Run, log: Log, seconds: float, job: Job) -> dict[str, Any]:
    packages = ("lrtransfer", "torch", "numpy")
    return {
        "key": run.key,
        "config": run.config.to_json(),
        "code": run.code,
        "status": log.status,
        "diverged_step": log.diverged_step,
        "wall_seconds": round(seconds, 3),
        "measuring_gradients": round(log.measuring, 3),
        "processor": processor(job.device),
        "processes": job.replicas.count,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def _seconds(folder: Path) -> float:
    try:
        seconds = float(json.loads((folder / "seconds.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _note_seconds(folder: Path, seconds: float) -> None:
    (folder / "seconds.json").write_text(json.dumps(round(seconds, 3)), encoding="utf-8")


class _StopSignal:
    """Whether the job should save and stop: on a signal, or once its parent is gone.

    Ctrl-C and a closed terminal reach a job beside its scheduler. A killed scheduler cannot tell
    its jobs; an orphan that trained on would hold the runs' locks.
    """

    def __init__(self) -> None:
        self.parent = os.getppid()
        # The parent may have died while this process was still importing.
        self.signalled = not starter_lives()

    def __enter__(self) -> _StopSignal:
        self.before = {number: signal.getsignal(number) for number in _STOPPING}
        for number, handler in self.before.items():
            # Under nohup a closed terminal stops nothing.
            if handler != signal.SIG_IGN:
                signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True

    @property
    def requested(self) -> bool:
        # The parent may be torchrun, which outlives a killed scheduler.
        return self.signalled or os.getppid() != self.parent or not starter_lives()
