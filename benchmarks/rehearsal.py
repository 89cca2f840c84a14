"""Whether the scale `gpu` trains: the smallest and the largest net of every experiment, on a CPU.

Twenty steps of the first arm at the rate where it is measured, two readings, on data of the real
shapes that are made up. A batch is cut to what a core does in a moment. Of nets with more than
0.5 GFLOP a sample the shapes alone are gone through, and the largest below trains in their place
(`of`: the widths that the scale asks for). On a CPU without instructions for bfloat16, where it
takes ten to forty times as long, small nets alone are trained in it. `EXPERIMENTS` in the
environment names some instead of all.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.expand import Run
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.network import block_size
from lrtransfer.study.training.run import Hooks, TrainingRun
from lrtransfer.study.workflow.cost import dataset_sizes
from lrtransfer.study.workflow.start import select
from lrtransfer.study.workflow.trial import Sizes, count

STEPS = 20
_FLOP = 1e8  # of an update, at most
_LARGEST = 5e8  # FLOP of a sample's gradient, of a net that is trained
_EMULATED = 3e7  # the same, of one that a CPU without the instructions trains in bfloat16
_FEWEST = 2


def measure(device: str) -> list[dict[str, Any]]:
    """Return a row for each run."""
    torch.set_num_threads(1)
    plan = select(Path("params.yaml"), "gpu", os.environ.get("EXPERIMENTS", "all")).plan
    sizes = dataset_sizes(plan)
    rows = []
    for name in plan.experiments:
        measured = [run for run in plan.part(name).runs if run.measured]
        runs = measured or list(plan.part(name).runs)
        of_arm = {(run.width, run.depth): run for run in runs if run.arm == runs[0].arm}
        by_size = [of_arm[size] for size in sorted(of_arm)]
        prices = {run.key: count(run.config.model, sizes[run.config.data])[0] for run in by_size}
        small = by_size[0]
        limit = max(_LARGEST, prices[small.key])
        large = next(run for run in reversed(by_size) if prices[run.key] <= limit)
        for run in dict.fromkeys((small.key, large.key)):
            chosen = small if run == small.key else large
            rows.append(_row(chosen, sizes[chosen.config.data], torch.device(device)))
            rows[-1]["of"] = [by_size[0].width, by_size[-1].width]
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _row(run: Run, sizes: Sizes, device: torch.device) -> dict[str, Any]:
    flops, parameters = count(run.config.model, sizes)
    samples = max(_FEWEST, min(run.config.batch_size, int(_FLOP / max(flops, 1))))
    config = _shortened(run.config, samples)
    emulated = device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if config.precision == "bfloat16" and emulated and flops > _EMULATED:
        config = replace(config, precision="float32")
    began = time.process_time()
    training = TrainingRun(config, _stand_in(config, sizes, samples * 4), device)
    log = training.execute(Hooks())
    return {
        "experiment": run.experiment,
        "model": config.model.family,
        "arm": run.arm,
        "width": run.width,
        "depth": run.depth,
        "parameters": parameters,
        "precision": config.precision,
        "samples": samples,
        "status": log.status,
        "readings": sum(len(row) > 0 for row in log.rows.values()),
        "loss": [round(log.losses[0], 3), round(log.losses[-1], 3)] if log.losses else [],
        "seconds": round(time.process_time() - began, 1),
    }


def _shortened(config: RunConfig, samples: int) -> RunConfig:
    measure = config.measure
    if measure is not None:
        measure = replace(
            measure, steps=(0, STEPS), share=None, samples=min(measure.samples, samples)
        )
    fewer = None if config.train_samples is None else samples
    return replace(
        config,
        steps=STEPS,
        batch_size=samples,
        train_samples=fewer,
        one_pass=False,
        measure=measure,
    )


def _stand_in(config: RunConfig, sizes: Sizes, samples: int) -> Arrays:
    """Return made-up data of the real shapes: images that tell classes, text that repeats."""
    features, outputs = sizes
    random = np.random.default_rng(0)
    if (block := block_size(config.model)) is not None:
        tokens = np.tile(random.integers(outputs, size=97), samples * block // 97 + 2)
        tokens[0] = outputs - 1
        return {"train_tokens": tokens.astype(np.int32)}
    if outputs == 1 or config.model.family == "two_layer_linear":
        inputs = random.standard_normal((samples, features))
        return {"train_inputs": inputs, "train_targets": inputs[:, :1].copy()}
    targets = np.arange(samples) % outputs
    targets[0] = outputs - 1
    centres = random.standard_normal((outputs, features)).astype(np.float32)
    # Smaller than normalised images: of few samples each pixel is a direction of its own, and
    # baselines diverged at the rate where they are measured.
    inputs = 0.3 * (centres[targets] + random.standard_normal((samples, features), np.float32))
    channels = 3 if features % 3 == 0 else 1
    side = round((features / channels) ** 0.5)
    shape = (samples, channels, side, side)
    return {"train_inputs": inputs.reshape(shape), "train_targets": targets}
