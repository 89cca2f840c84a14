"""What runs were estimated to take, and took: processor time, by experiment and for one's own.

Of each experiment a run that measures and one that does not, at the middle of their rates, drawn
at random; a run that diverges stops early and is left out. Reads params.yaml, prepares the data.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.pricing import digits, prepare, seconds
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.data.prepare import prepare as prepare_data
from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from lrtransfer.study.workflow.cost import dataset_sizes, run_seconds
from lrtransfer.study.workflow.start import select
from lrtransfer.study.workflow.trial import Machine

_OWN = "width_transfer_vision"


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per experiment: seconds estimated and taken, and their ratio."""
    cpu = prepare("cpu")
    plan = select(Path("params.yaml"), "laptop", "all").plan
    for dataset in plan.datasets:
        spec = dataset.spec
        prepare_data(dataset.id, spec.source, spec.sha256, spec.options)
    random.seed(0)
    sampled = {name: list(_sample(plan.part(name))) for name in plan.experiments}
    sampled["of one's own"] = list(_own(plan))
    machine, sizes = Machine(), dataset_sizes(plan)
    arrays = cache(load_arrays)
    # What the first run pays for all: imports.
    _train(sampled["of one's own"][0], arrays, cpu)
    rows = []
    for name, runs in sampled.items():
        estimated = taken = 0.0
        for run in runs:
            logs: list[Log] = []
            spent = seconds(lambda run=run, logs=logs: logs.append(_train(run, arrays, cpu)), cpu)  # type: ignore[misc]
            if logs[0].status == "ok":
                taken += spent
                estimated += run_seconds(run, sizes[run.config.data], machine)
        if taken:
            row = {"experiment": name, "estimated": digits(estimated), "taken": digits(taken)}
            rows.append({**row, "ratio": round(estimated / taken, 2)})
    return rows


def _train(run: Run, arrays: Any, device: torch.device) -> Log:
    return TrainingRun(run.config, arrays(run.config.data), device).execute(Hooks())


def _sample(plan: Plan) -> Iterator[Run]:
    """Yield a run that measures and one that does not, where there are."""
    for measured in (True, False):
        sweeps = [[r for r in sweep.runs if r.measured == measured] for sweep in plan.sweeps]
        if some := [sorted(runs, key=lambda r: r.learning_rate) for runs in sweeps if runs]:
            runs = random.choice(some)
            yield runs[len(runs) // 2]


def _own(plan: Plan) -> Iterator[Run]:
    """Yield runs whose sizes, probes and optimizer no experiment has, as a folder of one's own."""
    run = next(run for run in plan.part(_OWN).runs if run.measured)
    assert run.config.measure is not None
    measured = replace(
        run.config.measure,
        probes=("gauss_newton", "sharpness"),
        samples=200,
        steps=None,
        share=0.15,
    )
    for width in (48, 96, 192):
        model = replace(run.config.model, width=width, depth=5)
        config = replace(run.config, model=model, batch_size=48, steps=300, measure=measured)
        yield replace(run, config=config)
