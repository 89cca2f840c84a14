"""What guards finished results: quarantine, second names, and Snakemake's records of their making.

Snakemake deletes a job's declared files before it runs the job again. With a second name in the
work folder a finished run survives that, and its job publishes it again instead of training it.
Snakemake's records, kept beside the results, tell it after a clone, a pull or a switch of versions
that nothing needs to run.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.storage.atomic import link
from lrtransfer.study.storage.paths import WORK, Layout
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.workflow.soundness import check_published

_QUARANTINE = WORK / "quarantine"
_RECORDS = Path(".snakemake/metadata")
_KEPT_RECORDS = Path("results/provenance")


def set_aside(error: CorruptFileError) -> Path:
    """Move what is damaged out of the results, so that the study makes it anew."""
    wanted = _QUARANTINE / error.path
    numbered = (wanted.with_name(f"{wanted.name}.{n}") for n in itertools.count(2))
    target = next(p for p in itertools.chain([wanted], numbered) if not os.path.lexists(p))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(error.path, target)
    return target


@contextmanager
def setting_aside() -> Iterator[None]:
    """Set aside the damaged result that the block meets: the next call makes it anew.

    A result that was found sound before and rots, its time stamp kept, is met by its reader alone.
    """
    try:
        yield
    except CorruptFileError as error:
        # Another job may have met it too.
        if os.path.lexists(error.path):
            set_aside(error)
        raise


def keep_copies(plan: Plan, layout: Layout) -> None:
    """Give every sound published file a second name in the work folder."""
    sound = check_published(plan, layout).sound
    for path, copy in _copies(plan, layout):
        if path in sound:
            link(path, copy)


def _copies(plan: Plan, layout: Layout) -> Iterator[tuple[Path, Path]]:
    """Yield every run, checkpoint and spectrum file of the plan with its place in the work."""
    for run in plan.runs:
        folder = layout.work_run(run.key)
        yield layout.run(run.key), folder / "run.parquet"
        for step in run.checkpoints:
            yield layout.checkpoint(run.key, step), folder / f"{step}.safetensors"
    for spectrum in plan.spectra:
        yield layout.spectrum(spectrum.key), layout.work_spectrum(spectrum.key)


def date_back(files: Iterable[Path]) -> int:
    """Date files of the future to now; return their number.

    Snakemake discards what a job makes from files that are newer than the clock.
    """
    now = time.time()
    ahead = [path for path in files if path.is_file() and path.stat().st_mtime > now]
    for path in ahead:
        os.utime(path, (now, now))
    return len(ahead)


def save_provenance() -> int:
    """Make `results/provenance` a copy of Snakemake's records; return their number."""
    return _mirror(_RECORDS, _KEPT_RECORDS)


def restore_provenance() -> int:
    """Give Snakemake the records that lie in `results/provenance`; return their number."""
    if not _KEPT_RECORDS.is_dir():
        raise FileNotFoundError(
            f"{_KEPT_RECORDS}: no provenance. Pull the results first: `dvc pull`, or "
            "`lrtransfer restore`."
        )
    return _copy(_KEPT_RECORDS, _RECORDS)


def pull_results(arguments: list[str]) -> None:
    """Run `dvc pull`; raise `CalledProcessError` where that fails."""
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
