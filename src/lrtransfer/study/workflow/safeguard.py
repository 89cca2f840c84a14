"""What guards finished results: seals, second names, and Snakemake's records of what made them.

Snakemake deletes a job's declared files before it runs the job again. With a second name in the
work folder a finished run survives that, and its job publishes it again instead of training it.
Snakemake's records, kept beside the results, tell it after a clone, a pull or a switch of versions
that nothing needs to run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage.atomic import link, write_text
from lrtransfer.study.storage.paths import WORK, Layout
from lrtransfer.study.storage.seal import CorruptFileError, read_sealed

_VERIFIED = WORK / "verified.json"
_QUARANTINE = WORK / "quarantine"
_RECORDS = Path(".snakemake/metadata")
_KEPT_RECORDS = Path("results/provenance")


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
    verified = dict(known)
    for path, _ in _published(plan, layout):
        verified.pop(str(path), None)
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
    # Those of other selections count on, as long as the files are there.
    verified = {name: seen for name, seen in verified.items() if Path(name).is_file()}
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


def save_provenance() -> int:
    """Make ``results/provenance`` a copy of Snakemake's records; return their number."""
    return _mirror(_RECORDS, _KEPT_RECORDS)


def restore_provenance() -> int:
    """Give Snakemake the records that lie in ``results/provenance``; return their number."""
    if not _KEPT_RECORDS.is_dir():
        raise FileNotFoundError(
            f"{_KEPT_RECORDS}: no provenance. Pull the results first: `dvc pull`, or "
            "`lrtransfer restore`."
        )
    return _copy(_KEPT_RECORDS, _RECORDS)


def pull_results(arguments: list[str]) -> None:
    """Run ``dvc pull``; raise ``CalledProcessError`` where that fails."""
    subprocess.run([sys.executable, "-m", "dvc", "pull", *arguments], check=True)


def _mirror(source: Path, target: Path) -> int:
    count = _copy(source, target)
    names = {path.name for path in source.glob("*")}
    for stale in target.glob("*"):
        if stale.name not in names:
            stale.unlink()
    return count


def _copy(source: Path, target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True)
    files = [path for path in source.glob("*") if path.is_file()]
    for path in files:
        shutil.copy2(path, target / path.name)
    return len(files)
