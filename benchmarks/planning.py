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

COUNTS = (100, 1000)
_RATES = 20


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per number of runs: seconds of a dry run and its ratio to the floor."""
    floor = _seconds(["--version"], Path())
    rows = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            _project(Path(folder), count)
            seconds = _seconds(["-n", "--quiet", "all"], Path(folder))
        rows.append(
            {"runs": count, "seconds": round(seconds, 2), "ratio": round(seconds / floor, 1)}
        )
    return rows


def _project(folder: Path, count: int) -> None:
    for name in ("workflow", "profiles"):
        copytree(name, folder / name)
    copy2("Snakefile", folder)
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["experiments"] = "width_transfer_vision"
    grid = params["study"]["width_transfer_vision"]["scales"][params["scale"]]
    arms = grid["learning_rates"]
    for name in arms:
        reference = params["study"]["width_transfer_vision"]["arms"][name]
        start = reference["reference_learning_rate"]
        arms[name] = [start * 1.1**i for i in range(_RATES)]
    grid["widths"] = [16 * 2**i for i in range(5)]
    grid["seeds"] = list(range(max(count // (len(arms) * _RATES * 5), 1)))
    grid["spectra"]["seeds"] = [0]
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def _seconds(arguments: list[str], folder: Path) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - began
