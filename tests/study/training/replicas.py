"""Runs that several processes train together, and what each process saw of them.

As a program, ``torchrun … -m tests.study.training.replicas`` in a study's folder, it trains the
first run of the slow sweep of :mod:`sweep_job`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrtransfer.cli import main as lrtransfer
from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.training import streams, sweep
from lrtransfer.study.training.distributed.processes import joined
from lrtransfer.study.training.distributed.replicas import Replicas
from lrtransfer.study.training.distributed.replicated_run import ReplicatedRun
from lrtransfer.study.training.resume import load_state, save_state
from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from lrtransfer.study.workflow import stage_commands
from tests.tiny import blobs

from .configs import configured, images, language_model, text
from .sweep_job import SAVE_SECONDS, STEP_SECONDS, slow_runs

CPU = torch.device("cpu")
Case = tuple[RunConfig, Arrays]
_ADAPTIVE = ["preconditioned_sharpness", "sharpness", "subset_loss"]
_SHARE = {"probes": ["sharpness"], "samples": 12, "tolerance": 0.01, "share": 16.0}


class Stopped(Exception):
    """What a hook raises to stop a run."""


def cases(count: int) -> dict[str, Case]:
    """Return name -> configuration and data of what ``count`` processes train."""
    if count == 2:
        return _cases()
    return {
        "momentum": (configured("momentum", batch_size=7, probes=["sharpness"]), blobs()),
        "adamw": (configured("adamw", batch_size=11, probes=_ADAPTIVE), blobs()),
    }


def _cases() -> dict[str, Case]:
    options = {"image_size": 8, "stride": 1, "activation": "tanh", "norm": "layer"}
    convnet = {"family": "residual_convnet", "width": 3, "depth": 3, "options": options}
    linear = configured().to_json()["model"]
    linear = linear | {"options": linear["options"] | {"activation": "linear"}}
    sgd = ["alignment", "edge", "gauss_newton", "norms", "ntk", "sharpness", "subset_loss"]
    return {
        "momentum": (configured("momentum", batch_size=7, probes=sgd), blobs()),
        "adamw": (configured("adamw", batch_size=11, probes=_ADAPTIVE), blobs()),
        "even": (configured("adamw", batch_size=12, probes=["subset_loss"]), blobs()),
        "text": (language_model(batch_size=5), text()),
        "augmented": (
            configured("momentum", model=convnet, batch_size=7, augmentation="crop_flip"),
            images(),
        ),
        "output alone": (configured("momentum", batch_size=7, trained="output"), blobs()),
        "share": (configured("momentum", batch_size=8, measure=_SHARE), blobs()),
        "diverging": (
            configured(loss="squared", learning_rate=1e60, probes=["subset_loss"]),
            blobs(),
        ),
        "overflow": (
            configured(model=linear, loss="squared", probes=["sharpness"]),
            overflowing(),
        ),
    }


def overflowing() -> Arrays:
    """Return data whose first measured sample overflows the loss of the process that has it."""
    arrays = dict(blobs())
    inputs = arrays["train_inputs"].astype(np.float64)
    inputs[streams.subset(40, 12)[0]] = 1e200
    arrays["train_inputs"] = inputs
    return arrays


def trained(case: Case, replicas: Replicas) -> dict[str, Any]:
    """Train to the end and return all that the science is."""
    run = replicas.training_run(*case, CPU)
    return facts(run, run.execute(Hooks()))


def resumed(case: Case, path: Path, replicas: Replicas) -> dict[str, Any]:
    """Train with a stop after the third update, by way of a file of the leading process."""
    first = replicas.training_run(*case, CPU)

    def after_step(step: int, current: TrainingRun) -> None:
        if step == 3:
            replicas.broadcast(lambda: save_state(path, current, "key"))
            raise Stopped

    try:
        first.execute(Hooks(after_step=after_step))
    except Stopped:
        second = replicas.training_run(*case, CPU)
        assert load_state(path, second, "key")
        return facts(second, second.execute(Hooks()))
    raise AssertionError


def facts(run: TrainingRun, log: Log) -> dict[str, Any]:
    """Return what a run's file and checkpoints hold."""
    return {
        "losses": log.losses,
        "learning_rates": log.learning_rates,
        "rows": {step: dict(sorted(row.items())) for step, row in log.rows.items()},
        "diverged_step": log.diverged_step,
        "measuring": log.measuring,
        "weights": run.weights(),
    }


def process(rank: int, count: int, folder: str) -> None:
    """Train every case as one of ``count`` processes, and keep what this one saw."""
    torch.set_num_threads(1)
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count}
    os.environ |= {name: str(number) for name, number in numbers.items()}
    first, second = Path(folder, "ports").read_text(encoding="utf-8").split()
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": first}
    with joined("cpu") as replicas:
        found: dict[str, Any] = {n: trained(c, replicas) for n, c in cases(count).items()}
        state = Path(folder) / "state.safetensors"
        found["adamw resumed"] = resumed(cases(count)["adamw"], state, replicas)
    os.environ["MASTER_PORT"] = second
    found["error"] = error_in_process_1()
    torch.save(found, Path(folder) / f"{rank}.pt")


def error_in_process_1() -> str:
    """Return how a process leaves when process 1 fails while the others wait for it."""
    try:
        with joined("cpu") as replicas:
            if replicas.rank == 1:
                raise ValueError("process 1 is broken")
            replicas.barrier()
    except (ValueError, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError


def main() -> int:
    """Train the slow sweep where `lrtransfer stage train` would train a study's runs."""
    descend = ReplicatedRun._descend

    def slow_descend(run: ReplicatedRun, *batch: Tensor) -> Tensor:
        time.sleep(STEP_SECONDS)
        return descend(run, *batch)

    def train(options: Any) -> None:
        with joined("cpu") as replicas:
            job = sweep.Job(Layout(), CPU, save_seconds=SAVE_SECONDS, replicas=replicas)
            sweep.train_runs(slow_runs(120)[:1], job)

    torch.set_num_threads(1)
    ReplicatedRun._descend = slow_descend  # type: ignore[method-assign, assignment]
    stage_commands.train = train
    return lrtransfer(["stage", "train", "runs"])


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)
