"""The tiny study of the tests: nets that train in milliseconds."""

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
_TINY = {
    "question": _REAL["study"][EXPERIMENT]["question"],
    "paper": "super-consistency",
    "group": "core",
    "figures": ["width_transfer", "eigenvalues_by_rank", "consistency", "spectral_density"],
    "dataset": "mnist5k",
    "model": {"residual_mlp": {"skip": 1.0, "activation": "tanh"}},
    "loss": "cross_entropy",
    "optimizer": {"sgd": {"momentum": 0.5}},
    "schedule": "constant",
    "constants": {"branch_exponent": 0.5},
    "arms": {
        "mup": {
            "label": "μP",
            "parameterization": "mup",
            "lr": "2^-2 .. 2^2 by 2",
            "measured_at": "2^0",
        },
        "ntp": {
            "label": "NTP",
            "parameterization": "ntp",
            "lr": "2^2 .. 2^6 by 2",
            "measured_at": "2^4",
        },
        "sp": {
            "label": "SP",
            "parameterization": "sp",
            "lr": "2^-6 .. 2^-2 by 2",
            "measured_at": "2^-4",
        },
    },
    "widths": [4, 6],
    "depths": [1],
    "seeds": [0, 1],
    "steps": 6,
    "batch_size": 8,
    "loss_window": 3,
    "measure": {
        "probes": ["subset_loss", "sharpness", "ntk", "norms"],
        "samples": 12,
        "points": 4,
        "spacing": "geometric",
    },
    "spectra": {
        "seeds": [0],
        "steps": [2, 6],
        "samples": 12,
        "top": 3,
        "density": {"probes": 2, "steps": 12},
    },
}


def real_params() -> dict[str, Any]:
    """Return a copy of what params.yaml holds."""
    return copy.deepcopy(_REAL)


def tiny_params() -> dict[str, Any]:
    """Return a study of one experiment: 3 arms × 2 widths × 3 rates × 2 seeds of 6 steps."""
    content = real_params()
    for part in ("include", "defaults"):
        del content[part]
    content |= {"scale": "laptop", "experiments": [EXPERIMENT], "device": "cpu"}
    return content | {"study": {EXPERIMENT: copy.deepcopy(_TINY)}}


def tiny_grid(content: dict[str, Any]) -> dict[str, Any]:
    """Return the experiment of the tiny study, for changes in place of its grid."""
    grid: dict[str, Any] = content["study"][EXPERIMENT]
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
