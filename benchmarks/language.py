"""Curvature of GPT-2's shape: price in gradient evaluations, peak memory, and a common judge.

Random weights, 4 × 64 tokens, float32, explicit attention, which the peer needs. Every row is a
process of its own, whose peak memory is its own. The judge is one exact product: ‖Hv − θv‖/|θ|, at
most 1 % where a value counts as known; the peer is also given the number of steps that it needs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.pricing import digits
from lrtransfer.curvature import HessianOperator, critical_sharpness, sharpness

LAYERS = int(os.environ.get("LANGUAGE_LAYERS", "12"))
SEQUENCES, TOKENS = 4, 64
JUDGED = 0.01
PEER_STEPS = (10, 18, 20)

Found = tuple[float, int, Tensor | None]
"""A value, the products or forward passes spent, and the eigenvector."""


@dataclass(frozen=True)
class Task:
    """GPT-2, and a batch with its labels."""

    model: nn.Module
    batch: dict[str, Tensor]

    def loss(self) -> Tensor:
        """Return the model's own loss."""
        loss: Tensor = self.model(**self.batch).loss
        return loss

    def gradient(self) -> list[Tensor]:
        """Return the gradient: the unit of price."""
        return list(torch.autograd.grad(self.loss(), list(self.model.parameters())))


def make() -> Task:
    """Return the model at initialisation and random tokens."""
    import transformers

    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=LAYERS, attn_implementation="eager")
    model = transformers.GPT2LMHeadModel(config).eval()
    tokens = torch.randint(config.vocab_size, (SEQUENCES, TOKENS))
    return Task(model, {"input_ids": tokens, "labels": tokens})


def _gradient(task: Task) -> Found:
    task.gradient()
    return task.loss().item(), 0, None


def _sharpness(task: Task) -> Found:
    found = sharpness(task.model, batch=task.batch)
    return found.value, found.products, found.eigenvector


def _differences(task: Task) -> Found:
    found = sharpness(task.model, batch=task.batch, method="finite_difference")
    return found.value, found.products, found.eigenvector


def _critical(task: Task, *, warm: bool) -> Found:
    update = torch.cat([-g.flatten() for g in task.gradient()])
    guess = float(os.environ["LANGUAGE_GUESS"]) if warm else 1.0
    found = critical_sharpness(task.model, None, task.batch, update, guess=guess)
    return found.value, found.forwards, None


def _peer(task: Task, *, steps: int) -> Found:
    import hessian_eigenthings as peer

    loss = peer.loss_fns.huggingface.hf_lm_loss()
    operator = peer.HessianOperator(task.model, [task.batch], loss, method="autograd")
    found = peer.lanczos(operator, k=1, which="LA", max_iter=steps, seed=0)
    return float(found.eigenvalues[0]), steps, found.eigenvectors[0]


def works() -> dict[str, Callable[[Task], Found]]:
    """Return what is measured, by name; the peer only if it is installed."""
    found: dict[str, Callable[[Task], Found]] = {
        "gradient": _gradient,
        "sharpness": _sharpness,
        "sharpness, finite differences": _differences,
        "critical sharpness, cold": lambda task: _critical(task, warm=False),
        "critical sharpness, warm": lambda task: _critical(task, warm=True),
    }
    if find_spec("hessian_eigenthings"):
        for steps in PEER_STEPS:
            name = f"hessian-eigenthings, lanczos LA, max_iter={steps}"
            found[name] = lambda task, steps=steps: _peer(task, steps=steps)
    return found


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per instrument and setting of the peer."""
    if device != "cpu":
        raise ValueError(f"device is {device}; the target measures memory on a cpu alone")
    rows: list[dict[str, Any]] = []
    guess = 1.0
    for name in works():
        environment = os.environ | {"LANGUAGE_GUESS": str(guess), "OMP_NUM_THREADS": "1"}
        run = [sys.executable, "-m", "benchmarks.language", name]
        said = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
        if said.returncode:
            rows.append({"what": name, "failed": said.stderr.strip().splitlines()[-1:]})
            continue
        row = json.loads(said.stdout.splitlines()[-1])
        if name == "critical sharpness, cold":
            guess = 2 / row["value"]
        rows.append(row)
        print(f"  {row}", file=sys.stderr, flush=True)
    return rows


def about() -> dict[str, str]:
    """Return what the peer and the model were."""
    shape = f"GPT-2, {LAYERS} layers, {SEQUENCES} × {TOKENS} tokens"
    return peers.versions() | {"model": shape}


def _row(name: str) -> dict[str, Any]:
    """Measure one work in this process: memory is read before the judge takes any."""
    torch.set_num_threads(1)
    task = make()
    task.gradient()
    before = [_seconds(task.gradient) for _ in range(2)]
    began = time.process_time()
    value, spent, vector = works()[name](task)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    unit = median([*before, _seconds(task.gradient)])
    row: dict[str, Any] = {
        "what": name,
        "parameters": sum(p.numel() for p in task.model.parameters()),
        "gradient_seconds": digits(unit),
        "price": digits(seconds / unit),
        "spent": spent,
        "peak_gb": round(peak, 2),
        "value": float(f"{value:.6g}"),
    }
    if vector is not None:
        product = HessianOperator(task.model, None, task.batch)(vector)
        residual = float(torch.linalg.vector_norm(product - value * vector)) / abs(value)
        row |= {"residual": digits(residual), "known": residual <= JUDGED}
    return row


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    print(json.dumps(_row(sys.argv[1])))
