"""How long it takes to plan a study of many runs, against an empty `snakemake --version`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import copy2, copytree
from typing import Any

import yaml

from lrtransfer.study.plan.axes import rate

SEEDS = (1, 4, 34)
_RATES = 20
_WIDTHS = 5


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per number of runs: seconds of a dry run and its ratio to the floor."""
    floor = _seconds(["--version"], Path())
    rows = []
    for seeds in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            runs = _project(Path(folder), seeds)
            seconds = _seconds(["-n", "--quiet", "all"], Path(folder))
        rows.append(
            {"runs": runs, "seconds": round(seconds, 2), "ratio": round(seconds / floor, 1)}
        )
    return rows


def _project(folder: Path, seeds: int) -> int:
    """Write a project with a large grid and return its number of runs."""
    for name in ("workflow", "profiles"):
        copytree(name, folder / name)
    copy2("Snakefile", folder)
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["experiments"] = "width_transfer_vision"
    grid = params["study"]["width_transfer_vision"]
    params |= {"include": [], "study": {"width_transfer_vision": grid}}
    arms = grid["arms"]
    for arm in arms.values():
        start = rate(arm["measured_at"])
        arm["lr"] = [start * 1.1**i for i in range(_RATES)]
    grid["widths"] = [16 * 2**i for i in range(_WIDTHS)]
    grid["seeds"] = list(range(seeds))
    grid["spectra"]["seeds"] = [0]
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return len(arms) * _RATES * _WIDTHS * seeds


def _seconds(arguments: list[str], folder: Path) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began
