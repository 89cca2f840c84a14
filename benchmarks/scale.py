"""How planning, tables and estimates grow with the number of runs, on simulated result files."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import copy2, copytree
from typing import Any

import yaml

from lrtransfer.study.plan.axes import rate
from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import write_run
from lrtransfer.study.workflow.start import select
from lrtransfer.study.workflow.targets import Targets

EXPERIMENT = "width_transfer_vision"
# Learning rates and seeds of 2 arms at 5 widths: 100, 1,000 and 10,000 runs.
SIZES = ((10, 1), (20, 5), (50, 20))
# Of the largest study, for each group of stages: seconds of one core together, and megabytes.
LIMITS = {
    "plan": (("check", "plan, one run per job"), 60.0, 2000),
    "refit": (("tables", "estimates"), 60.0, 2000),
}
# Exponent from the last size but one: above 1 a run costs more where there are more.
MOST_GROWTH = 1.1
_ARMS = ("sp", "mup")
_WIDTHS = (16, 32, 64, 128, 256)
_STEPS = 50


def measure(device: str) -> list[dict[str, Any]]:
    """Return one row per number of runs and stage: seconds, peak memory, growth since before.

    ``growth`` is the exponent of the processor's time in the number of runs, 0 for a fixed cost;
    unlike ``seconds`` it does not depend on what else the machine does.
    """
    rows: list[dict[str, Any]] = []
    for rates, seeds in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            fresh = _stages(Path(folder), rates, seeds)
        for row in fresh:
            before = [old for old in rows if old["stage"] == row["stage"]]
            row["growth"] = _growth(before[-1], row) if before else None
        rows += fresh
    return rows


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Return what of ``rows`` is beyond :data:`LIMITS` or :data:`MOST_GROWTH`, one line each."""
    largest = max(row["runs"] for row in rows)
    last = {row["stage"]: row for row in rows if row["runs"] == largest}
    found = []
    for name, (stages, seconds, megabytes) in LIMITS.items():
        used = sum(last[stage]["cpu_seconds"] for stage in stages)
        peak = max(last[stage]["peak_mb"] for stage in stages)
        if used > seconds or peak > megabytes:
            found.append(f"{name} of {largest} runs: {used:.0f} s, {peak} MB")
    for stage, row in last.items():
        if row["growth"] > MOST_GROWTH:
            found.append(f"{stage} grows by the power {row['growth']} of the number of runs")
    return found


def _stages(root: Path, rates: int, seeds: int) -> list[dict[str, Any]]:
    _project(root, rates, seeds)
    chosen = select(root / "params.yaml")
    snakemake = [sys.executable, "-m", "snakemake"]
    plan = [*snakemake, "-n", "--quiet", "all"]
    ours = [sys.executable, "-m", "lrtransfer"]
    stage = [*ours, "stage"]
    first = str(Layout().run(chosen.plan.runs[0].key))
    commands = {
        "check": [*ours, "check"],
        "plan, nothing trained": plan,
        "plan, one run per job": [*plan, "--config", "runs_per_job=1"],
        # What each such job does before it trains: Snakemake reads all rules and finds one file's.
        "start of one such job": [*plan, "--config", "runs_per_job=1", "--", first],
        "tables": [*stage, "tables", EXPERIMENT],
        "estimates": [*stage, "estimates", EXPERIMENT],
        "ledger": [*stage, "ledger"],
        "figures": [*stage, "draw", EXPERIMENT],
        "report": [*stage, "report"],
        "status": [*ours, "status"],
        "no-op": plan,
    }
    rows = []
    for stage, command in commands.items():
        if stage == "tables":
            _simulate(root, chosen.plan)
        if stage == "no-op":
            _pretend_finished(root, chosen.plan)
        row, output = _run(command, root)
        if stage == "no-op" and "Nothing to be done" not in output:
            raise RuntimeError(f"a finished study has something to do:\n{output[-2000:]}")
        rows.append({"runs": len(chosen.plan.runs), "stage": stage} | row)
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _project(root: Path, rates: int, seeds: int) -> None:
    """Write a project with a large grid."""
    for name in ("workflow", "profiles"):
        copytree(name, root / name)
    copy2("Snakefile", root)
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["experiments"] = EXPERIMENT
    experiment = params["study"][EXPERIMENT]
    experiment["arms"] = {name: experiment["arms"][name] for name in _ARMS}
    for arm in experiment["arms"].values():
        start = rate(arm["measured_at"])
        arm["lr"] = [start * 1.1 ** (i - rates // 2) for i in range(rates)]
    for unused in ("spectra", "scales"):
        del experiment[unused]
    experiment |= {"widths": list(_WIDTHS), "seeds": list(range(seeds))}
    experiment |= {"steps": _STEPS, "loss_window": 10}
    params |= {"include": [], "study": {EXPERIMENT: experiment}}
    experiment["figures"] = [name for name in experiment["figures"] if "spectr" not in name]
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def _simulate(root: Path, plan: Plan) -> None:
    """Write a log for every run: a noisy valley over the learning rate, with its minimum at 0."""
    draw = random.Random(0)
    about = {"status": "ok", "diverged_step": None, "wall_seconds": 1.0, "processor": "cpu"}
    about["versions"] = {"torch": "2"}
    for run in plan.runs:
        valley = 0.1 * math.log2(run.learning_rate) ** 2 + draw.gauss(0.5, 0.01)
        losses = [2.0 / (step + 1) + valley for step in range(_STEPS)]
        path = root / Layout().run(run.key)
        said = about | {"key": run.key, "config": run.config.to_json(), "code": run.code}
        write_run(path, losses, [run.learning_rate] * _STEPS, _measured(run, draw), said)


def _measured(run: Run, draw: random.Random) -> dict[int, dict[str, float]]:
    if not run.measured:
        return {}
    steps = [round(_STEPS * i / 10) for i in range(11)]
    return {
        step: {"sharpness": draw.gauss(2.0, 0.1), "subset_loss": draw.gauss(1.0, 0.1)}
        for step in steps
    }


def _pretend_finished(root: Path, plan: Plan) -> None:
    """Make what is left of the study's files, in the order in which they would be made."""
    targets = Targets(plan, Layout())
    stages = (
        targets.datasets,
        targets.runs,
        targets.each(targets.run_tables),
        targets.each(targets.spectra_tables),
        targets.all_estimates,
        targets.ledger,
        targets.each(targets.figures),
        targets.each(targets.figures_sums),
        [str(Layout().report)],
    )
    moment = time.time() - 1000
    for files in stages:
        moment += 10
        for name in files:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (moment, moment))


def _run(command: list[str], root: Path) -> tuple[dict[str, Any], str]:
    """Run a command in the project; return what it cost, and its output."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, cwd=root, stdout=output, stderr=output) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        output.seek(0)
        said = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{said[-3000:]}")
    cost = {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime}
    cost = {name: round(value, 2) for name, value in cost.items()}
    return cost | {"peak_mb": round(usage.ru_maxrss / 1024)}, said


def _growth(before: dict[str, Any], now: dict[str, Any]) -> float:
    return round(
        math.log(now["cpu_seconds"] / before["cpu_seconds"])
        / math.log(now["runs"] / before["runs"]),
        2,
    )
