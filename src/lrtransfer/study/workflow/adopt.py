"""After a refactoring: keep finished runs, if retraining a sample of them gives the same bits."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lrtransfer.study.plan import Plan, Run, fingerprint
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.storage.tables import write_table
from lrtransfer.study.workflow.status import changed_files, stored_runs

Retrain = Callable[[Run], None]


@dataclass(frozen=True)
class Candidate:
    """A missing run and the stored one of equal configuration that other code trained."""

    run: Run
    old_key: str
    old_code: dict[str, str]


class NotAdoptedError(RuntimeError):
    """A retrained run differs from the stored one; nothing was re-keyed."""


def candidates(plan: Plan, layout: Layout) -> list[Candidate]:
    """Return the missing runs that a stored run of equal configuration could stand for."""
    stored, _ = stored_runs(layout)
    asked = {run.key for run in plan.runs}
    by_config = {
        fingerprint.digest(about["config"]): (key, about)
        for key, about in stored.items()
        if key not in asked
    }
    found: dict[str, Candidate] = {}
    for run in plan.runs:
        match = by_config.get(fingerprint.digest(run.config))
        if run.key not in stored and match is not None and _has_checkpoints(run, match[0], layout):
            found[run.key] = Candidate(run, match[0], match[1]["code"])
    return list(found.values())


def sample(found: list[Candidate], size: int, seed: int) -> list[Candidate]:
    """Return up to ``size`` candidates of each kind of code, by a seeded draw.

    Runs of one kind were trained by the same files (same model, same probes), before and now; a
    sample over all of them together could miss a file that only some runs use.
    """
    kinds: dict[str, list[Candidate]] = {}
    for candidate in found:
        kinds.setdefault(fingerprint.digest([candidate.run.code, candidate.old_code]), []).append(
            candidate
        )
    draw = random.Random(seed)  # noqa: S311
    return [c for group in kinds.values() for c in draw.sample(group, min(size, len(group)))]


def adopt(
    found: list[Candidate], chosen: list[Candidate], layout: Layout, retrain: Retrain
) -> None:
    """Retrain ``chosen``; if all come out bit-equal, re-key the rest of ``found``.

    The proof is recorded in the metadata of every re-keyed run: which runs were retrained, when,
    and which files had changed.

    Raises:
        NotAdoptedError: A retrained run differs; the message names run and column.
    """
    for candidate in chosen:
        retrain(candidate.run)
        _compare(candidate, layout)
    proof = {
        "date": time.strftime("%Y-%m-%d"),
        "retrained": [{"old": c.old_key, "new": c.run.key} for c in chosen],
    }
    retrained = {candidate.run.key for candidate in chosen}
    for candidate in found:
        if candidate.run.key not in retrained:
            _rekey(candidate, layout, proof)


def _has_checkpoints(run: Run, old_key: str, layout: Layout) -> bool:
    return all(layout.checkpoint(old_key, step).is_file() for step in run.checkpoints)


def _compare(candidate: Candidate, layout: Layout) -> None:
    run = candidate.run
    old, old_about = read_run(layout.run(candidate.old_key), candidate.old_key)
    new, new_about = read_run(layout.run(run.key), run.key)
    changed = ", ".join(changed_files(run.code, candidate.old_code))
    for name in dict.fromkeys([*old.column_names, *new.column_names]):
        if not _same(old, new, name) or old_about["status"] != new_about["status"]:
            raise NotAdoptedError(
                f"run {run.key} ({run.experiment} {run.arm} width {run.width}, learning rate "
                f"{run.learning_rate:g}, seed {run.seed}) differs from {candidate.old_key} in "
                f"column {name!r}, after changes in {changed}. Nothing was adopted: the change "
                "alters results, or the old runs come from another machine. Retrain instead."
            )


def _same(old: pa.Table, new: pa.Table, name: str) -> bool:
    both = name in old.column_names and name in new.column_names
    return both and old[name].combine_chunks().equals(new[name].combine_chunks())


def _rekey(candidate: Candidate, layout: Layout, proof: dict[str, Any]) -> None:
    run = candidate.run
    table, about = read_run(layout.run(candidate.old_key), candidate.old_key)
    for step in run.checkpoints:
        _rekey_checkpoint(candidate, layout, step)
    adopted = {**proof, "from": candidate.old_key, "code": about["code"]}
    about |= {"key": run.key, "code": run.code, "adopted": adopted}
    write_table(layout.run(run.key), table, about)


def _rekey_checkpoint(candidate: Candidate, layout: Layout, step: int) -> None:
    from lrtransfer.study.training.tensors import load_tensors, save_tensors

    tensors, about = load_tensors(layout.checkpoint(candidate.old_key, step))
    save_tensors(
        layout.checkpoint(candidate.run.key, step), tensors, about | {"key": candidate.run.key}
    )
