"""How long jobs may take: estimated where torch is loaded anyway, read by Snakemake without it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from lrtransfer.study.plan import Plan
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.storage.paths import WORK

_FILE = WORK / "costs.json"
# An estimate may be off by this factor before a job has to go on in a second attempt.
_MARGIN = 3.0
_START_MINUTES = 5


def note_costs(plan: Plan) -> None:
    """Estimate the seconds of every run on this machine and keep them for the jobs' time limits."""
    from lrtransfer.study.workflow.cost import calibrate, run_seconds
    from lrtransfer.study.workflow.estimate import dataset_sizes

    machine, sizes = calibrate(), dataset_sizes(plan)
    costs = {run.key: run_seconds(run, sizes[run.config["data"]], machine) for run in plan.runs}
    every = known_costs() | {key: round(seconds, 1) for key, seconds in costs.items()}
    write_text(_FILE, json.dumps(every))


def known_costs() -> dict[str, float]:
    """Return run key -> estimated seconds; empty where nothing was estimated."""
    try:
        costs: dict[str, float] = json.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return costs


def runtime_minutes(
    keys: Sequence[str], costs: Mapping[str, float], ceiling: int, attempt: int
) -> int:
    """Return the time limit of a job: short jobs start sooner, and a limit hit costs little.

    Args:
        keys: The job's runs.
        costs: From :func:`known_costs`.
        ceiling: The most that a first attempt asks for, and what is asked where a run's cost is
            unknown: ``resources.train.runtime_minutes`` of params.yaml.
        attempt: 1 for the first; a later one goes on from the saved state, with more time.
    """
    if not all(key in costs for key in keys):
        return ceiling * attempt
    estimate = _START_MINUTES + math.ceil(_MARGIN * sum(costs[key] for key in keys) / 60)
    return min(estimate, ceiling) * attempt
