"""Before any job starts: notice damaged results, and link the sound ones into the work folder.

Snakemake deletes a job's declared files before it runs the job again. With a second name in the
work folder a finished run survives that, and its job publishes it again instead of training it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lrtransfer.study.plan import Plan
from lrtransfer.study.storage.atomic import link, write_text
from lrtransfer.study.storage.paths import WORK, Layout
from lrtransfer.study.storage.seal import CorruptFileError, read_sealed

_VERIFIED = WORK / "verified.json"
_QUARANTINE = WORK / "quarantine"


@dataclass
class Checked:
    """What a look at the published results found.

    Attributes:
        sound: Number of undamaged files.
        damaged: One message per damaged file.
    """

    sound: int = 0
    damaged: list[CorruptFileError] = field(default_factory=list)


def check_results(plan: Plan, layout: Layout) -> Checked:
    """Verify the digest of every published file that changed since it was last verified."""
    known = _read_verified()
    found = Checked()
    verified: dict[str, list[int]] = {}
    for path, _ in _published(plan, layout):
        if not path.is_file():
            continue
        signature = _signature(path)
        try:
            if known.get(str(path)) != signature:
                read_sealed(path)
        except CorruptFileError as error:
            found.damaged.append(error)
            continue
        found.sound += 1
        verified[str(path)] = signature
    if verified != known:
        write_text(_VERIFIED, json.dumps(verified))
    return found


def set_aside(error: CorruptFileError) -> Path:
    """Move a damaged file out of the results, so that the study makes it anew."""
    target = _QUARANTINE / error.path
    target.parent.mkdir(parents=True, exist_ok=True)
    error.path.replace(target)
    return target


def keep_copies(plan: Plan, layout: Layout) -> None:
    """Give every sound published file a second name in the work folder."""
    damaged = {error.path for error in check_results(plan, layout).damaged}
    for path, copy in _published(plan, layout):
        if path.is_file() and path not in damaged:
            link(path, copy)


def _published(plan: Plan, layout: Layout) -> Iterator[tuple[Path, Path]]:
    """Yield every run, checkpoint and spectrum file of the plan with its place in the work."""
    for run in plan.runs:
        folder = layout.work_run(run.key)
        yield layout.run(run.key), folder / "run.parquet"
        for step in run.checkpoints:
            yield layout.checkpoint(run.key, step), folder / f"{step}.safetensors"
    for spectrum in plan.spectra:
        yield layout.spectrum(spectrum.key), layout.work_spectrum(spectrum.key)


def _signature(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _read_verified() -> dict[str, list[int]]:
    try:
        content: dict[str, list[int]] = json.loads(_VERIFIED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content
