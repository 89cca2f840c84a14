"""What is finished, what is missing, and why a finished run no longer counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from lrtransfer.study.plan import Plan, Run
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_about


@dataclass(frozen=True)
class Status:
    """The state of a study.

    Attributes:
        finished: Runs that are published.
        begun: Missing runs with a saved state to go on from.
        missing: Reason -> number of missing runs.
        spectra: Finished and asked-for spectra.
        unasked: Published runs that this study does not ask for.
        damaged: One message per damaged file.
    """

    finished: int
    begun: int
    missing: dict[str, int]
    spectra: tuple[int, int]
    unasked: int
    damaged: list[str]


def study_status(plan: Plan, layout: Layout, everything: Plan) -> Status:
    """Compare what a study asks for with what is stored.

    Args:
        plan: What is selected.
        layout: Where its files lie.
        everything: The plan of all experiments at this scale: what it asks for is not unasked.
    """
    published, damaged = stored_runs(layout)
    asked = {run.key: run for run in plan.runs}
    missing = [run for key, run in asked.items() if key not in published]
    wanted = {run.key for run in everything.runs}
    others = [about for key, about in published.items() if key not in wanted]
    by_point: dict[Any, list[dict[str, Any]]] = {}
    for about in others:
        by_point.setdefault(_grid_point(about["config"]), []).append(about)
    reasons = Counter(_reason(run, by_point.get(_grid_point(run.config), [])) for run in missing)
    begun = [r for r in missing if (layout.work_run(r.key) / "state.safetensors").is_file()]
    spectra = {spectrum.key for spectrum in plan.spectra}
    return Status(
        finished=len(asked) - len(missing),
        begun=len(begun),
        missing=dict(reasons.most_common()),
        spectra=(sum(layout.spectrum(key).is_file() for key in spectra), len(spectra)),
        unasked=len(others),
        damaged=damaged,
    )


def stored_runs(layout: Layout) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return key -> metadata of every published run, and a message per unreadable file."""
    found: dict[str, dict[str, Any]] = {}
    damaged: list[str] = []
    for path in sorted(layout.runs.glob("*.parquet")):
        try:
            found[path.stem] = read_about(path)
        except CorruptFileError as error:
            damaged.append(str(error))
    return found, damaged


def describe(status: Status) -> str:
    """Return the status as lines of text."""
    total = status.finished + sum(status.missing.values())
    lines = [f"runs: {status.finished} of {total} finished"]
    lines += [f"  {count} missing: {reason}" for reason, count in status.missing.items()]
    if status.begun:
        lines.append(f"  {status.begun} of the missing runs go on from a saved state")
    lines.append(f"spectra: {status.spectra[0]} of {status.spectra[1]} finished")
    if status.unasked:
        lines.append(
            f"{status.unasked} stored runs are asked for by nothing at this scale; "
            "`lrtransfer prune` lists them"
        )
    return "\n".join([*lines, *(f"damaged: {message}" for message in status.damaged)])


def _grid_point(config: dict[str, Any]) -> tuple[int, float, int]:
    """Return what tells the runs of a sweep apart; another point is a new run, no stale one."""
    return config["model"]["width"], config["learning_rate"], config["seed"]


def _reason(run: Run, stored: list[dict[str, Any]]) -> str:
    """Say why none of the stored runs at the same grid point counts as ``run``."""
    for about in stored:
        if about["config"] == run.config:
            files = changed_files(run.code, about["code"])
            return f"the code changed ({', '.join(files)})"
    near = [_differences(run.config, about["config"]) for about in stored]
    closest = min(near, key=len, default=[])
    return f"params.yaml changed ({closest[0]})" if len(closest) == 1 else "never trained"


def changed_files(now: dict[str, str], then: dict[str, str]) -> list[str]:
    """Return the files whose fingerprints differ between two code maps."""
    return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


def _differences(now: dict[str, Any], then: dict[str, Any], path: str = "") -> list[str]:
    found: list[str] = []
    for name in sorted(now.keys() | then.keys()):
        a, b, place = now.get(name), then.get(name), f"{path}{name}"
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{place}.")
        elif a != b:
            found.append(place)
    return found
