"""The care of results: what is finished or stale, what nobody asks for, what may be kept."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lrtransfer.study.plan import fingerprint
from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.run_file import read_run
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_about, write_table


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
    reasons = Counter(
        _reason(run, by_point.get(_grid_point(run.config.to_json()), [])) for run in missing
    )
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
            about = read_about(path, {"key": path.stem})
            _grid_point(about["config"])
            found[path.stem] = about
        except CorruptFileError as error:
            damaged.append(str(error))
        except (KeyError, TypeError):
            damaged.append(str(CorruptFileError(path, "does not say which run it is of")))
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


def _grid_point(config: dict[str, Any]) -> tuple[int, int, float, int]:
    """Return a run's place in its grid; one at another place is a new run, no stale one."""
    model = config["model"]
    return model["width"], model["depth"], config["learning_rate"], config["seed"]


def _reason(run: Run, stored: list[dict[str, Any]]) -> str:
    """Say why none of the stored runs at the same grid point counts as `run`."""
    config = run.config.to_json()
    for about in stored:
        if about["config"] == config:
            files = changed_files(run.code, about["code"])
            return f"the code changed ({', '.join(files)})"
    near = [_differences(config, about["config"]) for about in stored]
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


def unasked_files(plan: Plan, layout: Layout, datasets: Collection[str] = ()) -> list[Path]:
    """Return files and folders under results, data and the work folder that `plan` lacks.

    Args:
        plan: A plan of ALL experiments at the scale of `layout`, so that a narrowed selection
            loses nothing.
        layout: Where the files lie.
        datasets: Identities of data sets that other scales ask for, which lie beside its own.
    """
    runs = {run.key for run in plan.runs}
    spectra = {spectrum.key for spectrum in plan.spectra}
    kept = {str(layout.checkpoint(r.key, step)) for r in plan.runs for step in r.checkpoints}
    # Not through a link: what lies behind it is not ours.
    folders = [path for path in layout.checkpoints.glob("*") if not path.is_symlink()]
    inside = [path for folder in folders for path in folder.glob("*")]
    checkpoints = [path for path in inside if str(path) not in kept]
    links = [path for path in layout.checkpoints.glob("*") if path.is_symlink()]
    prepared = {dataset.id for dataset in plan.datasets} | {*datasets}
    stray = [
        *_others(layout.runs.glob("*.parquet"), runs),
        *checkpoints,
        *_others(links, runs),
        *_others(layout.spectrum("x").parent.glob("*.parquet"), spectra),
        *_others(layout.work_spectrum("x").parent.glob("*.parquet"), spectra),
        *_others(layout.work_run("x").parent.glob("*"), runs),
        *_others(paths.PREPARED.glob("*"), prepared),
    ]
    return sorted(stray)


def remove(files: Iterable[Path]) -> None:
    """Remove files, links and folders, and checkpoint folders that become empty."""
    for path in files:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            continue
        path.unlink()
        if path.suffix == ".safetensors" and not any(path.parent.iterdir()):
            path.parent.rmdir()


def size(path: Path) -> int:
    """Return the bytes of a file or a folder; of a link, its own."""
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if file.is_symlink() or file.is_file())


def _others(files: Iterable[Path], kept: set[str]) -> list[Path]:
    return [path for path in files if path.stem not in kept and path.name not in kept]


Retrain = Callable[[Run], None]


@dataclass(frozen=True)
class Candidate:
    """A missing run and the stored one of equal configuration that other code trained."""

    run: Run
    old_key: str
    old_code: dict[str, str]

    @cached_property
    def kind(self) -> str:
        """Hash of the files before and now, and of the configuration without its numbers."""
        return fingerprint.digest(
            [self.run.code, self.old_code, _without_numbers(self.run.config.to_json())]
        )


class NotAdoptedError(RuntimeError):
    """A retrained run differs from the stored one; nothing was re-keyed."""


class Candidates(NamedTuple):
    """The missing runs that a stored run could stand for, and those a stopped call retrained."""

    missing: list[Candidate]
    retrained: list[Candidate]


def candidates(plan: Plan, layout: Layout) -> Candidates:
    """Return the runs that a stored run of equal configuration could stand for, or did.

    An option that a newer version added and that is null does not count as a difference. Of those
    retrained only the kinds that something is missing of.
    """
    stored, _ = stored_runs(layout)
    asked = {run.key for run in plan.runs}
    by_config = {
        fingerprint.digest(_without_nulls(about["config"])): (key, about)
        for key, about in stored.items()
        if key not in asked
    }
    missing: dict[str, Candidate] = {}
    retrained: dict[str, Candidate] = {}
    for run in plan.runs:
        match = by_config.get(fingerprint.digest(_without_nulls(run.config.to_json())))
        if match is None or not _has_checkpoints(run, match[0], layout):
            continue
        candidate = Candidate(run, match[0], match[1]["code"])
        if run.key not in stored:
            missing[run.key] = candidate
        elif candidate.old_code != run.code and "adopted" not in stored[run.key]:
            retrained[run.key] = candidate
    kinds = {candidate.kind for candidate in missing.values()}
    return Candidates(list(missing.values()), [c for c in retrained.values() if c.kind in kinds])


def sample(found: Candidates, size: int, seed: int) -> list[Candidate]:
    """Return what is to be retrained so that each kind has up to `size` runs that were.

    Runs of one kind were trained by the same files, before and now, and take the same branches in
    them: their configurations differ in numbers alone. A sample over all of them together could
    miss what only some runs use.
    """
    kinds: dict[str, list[Candidate]] = {}
    for candidate in found.missing:
        kinds.setdefault(candidate.kind, []).append(candidate)
    done = Counter(candidate.kind for candidate in found.retrained)
    draw = random.Random(seed)  # noqa: S311
    return [
        candidate
        for kind, group in kinds.items()
        for candidate in draw.sample(group, max(0, min(size - done[kind], len(group))))
    ]


def adopt(found: Candidates, chosen: list[Candidate], layout: Layout, retrain: Retrain) -> None:
    """Retrain `chosen`; if they and those before are bit-equal, re-key the rest of the missing.

    The proof is recorded in the metadata of every re-keyed run: which runs were retrained, when,
    and which files had changed.

    Raises:
        NotAdoptedError: A retrained run differs; the message names run and column.
    """
    for candidate in found.retrained:
        _compare(candidate, layout)
    for candidate in chosen:
        retrain(candidate.run)
        _compare(candidate, layout)
    vouching = [*found.retrained, *chosen]
    proof = {
        "date": time.strftime("%Y-%m-%d"),
        "retrained": [{"old": c.old_key, "new": c.run.key} for c in vouching],
    }
    keys = {candidate.run.key for candidate in vouching}
    for candidate in found.missing:
        if candidate.run.key not in keys:
            _rekey(candidate, layout, proof)


def _without_nulls(value: Any) -> Any:
    """Return a configuration without options that are null: one that is new is as if absent."""
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _without_numbers(value: Any) -> Any:
    """Return a part of a configuration with every number replaced by the fact that it is one."""
    if isinstance(value, dict):
        return {name: _without_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return sorted({str(_without_numbers(part)) for part in value})
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else value


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
    about |= {"key": run.key, "code": run.code, "config": run.config.to_json(), "adopted": adopted}
    write_table(layout.run(run.key), table, about)


def _rekey_checkpoint(candidate: Candidate, layout: Layout, step: int) -> None:
    from lrtransfer.study.training.tensors import load_tensors, save_tensors

    tensors, about = load_tensors(layout.checkpoint(candidate.old_key, step))
    save_tensors(
        layout.checkpoint(candidate.run.key, step),
        tensors,
        about | {"key": candidate.run.key, "config": candidate.run.config.to_json()},
    )
