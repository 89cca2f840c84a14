"""What training costs beside its arithmetic: loops, runs at once, a job's start, texts.

Ratios of processor time, taken in turns, the median of pairs, since a machine is shared. The loop
by hand trains the same network with one parameter group and nothing else.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.pricing import prepare, seconds
from lrtransfer.study.data import Arrays
from lrtransfer.study.data.prepare import prepare as prepare_data
from lrtransfer.study.data.shards import digest_of
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.batched import BatchedRuns
from lrtransfer.study.training.run import Hooks, TrainingRun
from lrtransfer.study.workflow.start import select

STEPS = 12
SECONDS = 6.0  # of a row, or the fewest rounds
_FEWEST = 6
_LOOPS = {"residual_mlp, sgd": "width_transfer_vision", "llama, adamw": "weight_decay"}
_WIDTHS = {"residual_mlp, sgd": (16, 64, 128, 256, 512, 1024), "llama, adamw": (16, 64, 128, 256)}
# Of 8 rates and 3 seeds each.
_BATCHED = {"residual_mlp, sgd": (16, 64, 256), "llama, adamw": (16, 64)}
_TEXTS = (("bytes", 100), ("bytes", 500), ("bytes", 2000), ("bpe", 10), ("bpe", 40))
# Wider nets do not try bfloat16 on a CPU without the instructions: ten times as long.
_EMULATED = 64

Way = Callable[[], float]


def measure(device: str) -> list[dict[str, Any]]:
    """Return the rows of loops and ways to update, of runs at once, of starts and of texts."""
    chosen = prepare(device)
    configs = {name: _config(experiment) for name, experiment in _LOOPS.items()}
    rows = []
    for name, config in configs.items():
        for width in _WIDTHS[name]:
            sized = replace(config, model=replace(config.model, width=width))
            rows.append(_told(_loops(name, sized, chosen)))
    for name, config in configs.items():
        for width in _BATCHED[name]:
            sized = replace(config, model=replace(config.model, width=width))
            rows.append(_told(_batched(name, sized, chosen)))
    rows.append(_told(_start()))
    return [*rows, *(_told(_text(*text)) for text in _TEXTS)]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    print(row, file=sys.stderr, flush=True)
    return row


def about() -> dict[str, Any]:
    """Return what of the processor matters here."""
    return {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "bfloat16_instructions": _with_bfloat16(),
        "load": round(os.getloadavg()[0], 1),
    }


def _with_bfloat16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _config(experiment: str) -> RunConfig:
    config = select(Path("params.yaml"), "laptop", experiment).plan.runs[0].config
    return replace(config, measure=None, steps=STEPS, learning_rate=2.0**-9, one_pass=False)


def _loops(name: str, config: RunConfig, device: torch.device) -> dict[str, Any]:
    """Return our loop's time over that by hand, and what other updates gain on ours."""
    arrays = _data(config)
    ways: dict[str, Way] = {
        "by hand": lambda: _by_hand(config, arrays, device),
        "ours": lambda: _ours(config, arrays, device),
        "bfloat16": lambda: _ours(replace(config, precision="bfloat16"), arrays, device),
        "fused": lambda: _ours(replace(config, fused=True), arrays, device),
    }
    if not _with_bfloat16() and config.model.width > _EMULATED:
        del ways["bfloat16"]
    taken: dict[str, list[float]] = {way: [] for way in ways}
    while sum(map(sum, taken.values())) < SECONDS or len(taken["ours"]) < _FEWEST:
        # To and fro, so that what a machine's other work adds is the same for all.
        turns = list(ways) if len(taken["ours"]) % 2 else list(reversed(ways))
        for way in turns:
            taken[way].append(ways[way]())

    def over(way: str) -> float:
        """Return how many times as long as `way` ours takes."""
        return median(a / b for a, b in zip(taken["ours"], taken[way], strict=True))

    return {
        "what": "loop",
        "network": name,
        "width": config.model.width,
        "update_ms": round(min(taken["ours"]) / STEPS * 1e3, 2),
        "rounds": len(taken["ours"]),
        "times_by_hand": round(over("by hand"), 3),
        "bfloat16_gain": round(over("bfloat16"), 2) if "bfloat16" in ways else None,
        "fused_gain": round(over("fused"), 2),
    }


def _ours(config: RunConfig, arrays: Arrays, device: torch.device) -> float:
    run = TrainingRun(config, arrays, device)
    return seconds(lambda: run.execute(Hooks()), device)


def _batched(name: str, config: RunConfig, device: torch.device) -> dict[str, Any]:
    """Return how many runs a second there are at once and one by one."""
    arrays = _data(config)
    configs = [
        replace(config, batched=24, learning_rate=config.learning_rate / 2**octave, seed=seed)
        for octave in range(8)
        for seed in range(3)
    ]
    few = configs[:: len(configs) // 4]
    at_once, alone = [], []
    while len(alone) < _FEWEST // 2 or sum(at_once) + sum(alone) < SECONDS:
        batch = BatchedRuns(configs, arrays, device)
        at_once.append(seconds(lambda b=batch: b.execute(lambda step: None), device))  # type: ignore[misc]
        alone.append(sum(_ours(own, arrays, device) for own in few))
    ratios = (a / len(few) / (b / len(configs)) for a, b in zip(alone, at_once, strict=True))
    return {
        "what": f"{len(configs)} runs at once",
        "network": name,
        "width": config.model.width,
        "runs_per_s_alone": round(len(few) / min(alone), 2),
        "runs_per_s_at_once": round(len(configs) / min(at_once), 2),
        "gain": round(median(ratios), 2),
    }


def _by_hand(config: RunConfig, arrays: Arrays, device: torch.device) -> float:
    run = TrainingRun(config, arrays, device)
    model, loss, (inputs, targets) = run.network.model, run.loss, (_all(run))
    kind = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[config.optimizer.name]
    optimizer = kind(model.parameters(), lr=config.learning_rate)
    losses = torch.empty(config.steps)

    def train() -> None:
        order = torch.randperm(len(inputs))
        for step in range(config.steps):
            chosen = order[step * config.batch_size : (step + 1) * config.batch_size]
            value = loss(model(inputs[chosen]), targets[chosen])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses[step] = value.detach()

    return seconds(train, device)


def _all(run: TrainingRun) -> tuple[torch.Tensor, torch.Tensor]:
    return run.examples.batch(torch.arange(len(run.examples)))


def _data(config: RunConfig) -> Arrays:
    random, samples = np.random.default_rng(0), (STEPS + 1) * config.batch_size
    if (block := config.model.options.get("block_size")) is not None:
        return {"train_tokens": random.integers(256, size=samples * block + 1).astype(np.uint8)}
    images = random.standard_normal((samples, 1, 28, 28), np.float32)
    return {"train_inputs": images, "train_targets": np.arange(samples) % 10}


def _start() -> dict[str, Any]:
    """Return what a whole job of one short run costs over `import torch`, in processor time.

    One run only trains, 16 updates; the other reads everything five times beside.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("params.yaml", "claims.yaml", "experiments"):
            source = Path(name)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
        choice = ["--scale", "smoke", "--experiments", "width_transfer_vision"]
        chosen = select(Path("params.yaml"), *choice[1::2])
        stage = [sys.executable, "-m", "lrtransfer", "stage"]
        _processor([*stage, "prepare", "mnist5k", *choice], root)
        ways = {"torch": [sys.executable, "-c", "import torch"]}
        for way, measured in (("job", False), ("job with readings", True)):
            run = next(run for run in chosen.plan.runs if run.measured == measured)
            ways[way] = [*stage, "train", str(chosen.layout.run(run.key)), *choice]
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(5):
            shutil.rmtree(root / ".lrtransfer/jobs/results", ignore_errors=True)
            shutil.rmtree(root / "results", ignore_errors=True)
            best = {way: min(best[way], _processor(ways[way], root)) for way in ways}
    return {
        "what": "start of a job, its run of 16 updates included",
        "import_torch_s": round(best["torch"], 2),
        "times_import_torch": round(best["job"] / best["torch"], 2),
        "with_five_readings": round(best["job with readings"] / best["torch"], 2),
    }


def _processor(command: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _text(tokens: str, megabytes: int) -> dict[str, Any]:
    """Return what preparing a text of words takes, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        with path.open("wb") as file:
            for piece in _words(megabytes):
                file.write(piece)
        command = [sys.executable, "-m", "benchmarks.training", str(path), digest_of(path), tokens]
        root = {"PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), *sys.path)))}
        began = time.perf_counter()
        told = subprocess.run(
            command, cwd=folder, env={**os.environ, **root}, check=True, capture_output=True
        )
        wall = time.perf_counter() - began
    return {
        "what": "text",
        "tokens": tokens,
        "megabytes": megabytes,
        "peak_mb": int(told.stdout),
        "mb_per_s": round(megabytes / wall, 1),
    }


def _words(megabytes: int) -> Iterator[bytes]:
    """Yield lines of words as often as words of a language are."""
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", np.uint8)
    words = [letters[random.geometric(0.12, random.integers(1, 10)) % 26] for _ in range(50_000)]
    texts = np.array([word.tobytes() for word in words], dtype=object)
    pieces = []
    for _ in range(min(megabytes, 20)):
        chosen = texts[random.zipf(1.2, 200_000) % len(texts)]
        lines = (b" ".join(chosen[i : i + 15]) for i in range(0, len(chosen), 15))
        pieces.append((b"\n".join(lines) + b"\n")[: 10**6 - 1] + b"\n")
    for number in range(megabytes):
        yield pieces[number % len(pieces)]


def _prepare_text(path: str, sha256: str, tokens: str) -> None:
    """Prepare a text here and print the peak of this process's memory (MB)."""
    options = {"url": path, "tokens": tokens, "vocabulary": 2048, "learned_from": 5}
    prepare_data("text", "corpus", sha256, options)
    # Not `ru_maxrss`: to Linux a process begins with the peak of the one that started it.
    told = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(told.split("VmHWM:")[1].split()[0]) // 1000)


if __name__ == "__main__":
    _prepare_text(*sys.argv[1:])
