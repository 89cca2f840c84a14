"""The tiny study of the tests: params.yaml cut down to nets that train in milliseconds."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.expand import Plan, Run, plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.yaml_file import read_yaml
from lrtransfer.study.storage import paths

ROOT = Path(__file__).resolve().parents[1]
PARAMS = ROOT / "params.yaml"
EXPERIMENT = "width_transfer_vision"

_REAL = read_yaml(PARAMS)


def real_params() -> dict[str, Any]:
    """Return a copy of what params.yaml holds."""
    return copy.deepcopy(_REAL)


def tiny_params() -> dict[str, Any]:
    """Return a study of one experiment: 3 arms × 2 widths × 3 rates × 2 seeds of 6 steps."""
    content = real_params()
    content |= {"scale": "smoke", "experiments": [EXPERIMENT], "device": "cpu"}
    experiment = content["study"][EXPERIMENT]
    content["study"] = {EXPERIMENT: experiment}
    experiment["optimizer"]["options"] = {"momentum": 0.5}
    experiment["model"]["options"]["activation"] = "tanh"
    grid = experiment["scales"]["smoke"]
    experiment["scales"] = {"smoke": grid}
    grid |= {"widths": [4, 6], "depths": [1], "steps": 6, "batch_size": 8, "loss_window": 3}
    grid["measure"] |= {"samples": 12, "points": 4}
    grid["spectra"] |= {"steps": [2, 6], "samples": 12, "top": 3}
    return content


def tiny_grid(content: dict[str, Any]) -> dict[str, Any]:
    """Return the grid of the tiny study, for changes in place."""
    grid: dict[str, Any] = content["study"][EXPERIMENT]["scales"]["smoke"]
    return grid


def tiny_plan(content: dict[str, Any] | None = None) -> Plan:
    """Return the plan of the tiny study, or of a changed copy of it."""
    return plan(parse_study(tiny_params() if content is None else content))


def tiny_run(*, measured: bool = True, **changes: Any) -> Run:
    """Return the first run, measured or not, of the tiny study with a changed grid."""
    content = tiny_params()
    tiny_grid(content).update(changes)
    return next(run for run in tiny_plan(content).runs if run.measured == measured)


def blobs(*, samples: int = 40, features: int = 5, classes: int = 3) -> Arrays:
    """Return Gaussian blobs around one centre per class, in the form of prepared arrays."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(classes, features))
    targets = np.arange(samples, dtype=np.int64) % classes
    inputs = (centres[targets] + 0.3 * random.normal(size=(samples, features))).astype(np.float32)
    return {"train_inputs": inputs, "train_targets": targets}


def store_blobs(dataset_id: str, **sizes: int) -> None:
    """Write :func:`blobs` as a prepared data set below the working folder."""
    content = save(blobs(**sizes))
    paths.prepared(dataset_id).mkdir(parents=True)
    paths.arrays(dataset_id).write_bytes(content)
    manifest = json.dumps({"sha256": hashlib.sha256(content).hexdigest()})
    paths.manifest(dataset_id).write_text(manifest, encoding="utf-8")
