"""Find, and on demand remove, results that no study asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lrtransfer.study.plan import Plan
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.paths import Layout


def unasked_files(plan: Plan, layout: Layout) -> list[Path]:
    """Return files and folders under results, data and the work folder that ``plan`` lacks.

    Args:
        plan: A plan of ALL experiments at the scale of ``layout``, so that a narrowed selection
            loses nothing.
        layout: Where the files lie.
    """
    runs = {run.key for run in plan.runs}
    spectra = {spectrum.key for spectrum in plan.spectra}
    kept = {str(layout.checkpoint(r.key, step)) for r in plan.runs for step in r.checkpoints}
    checkpoints = [path for path in layout.checkpoints.glob("*/*") if str(path) not in kept]
    datasets = {dataset.id for dataset in plan.datasets}
    stray = [
        *_others(layout.runs.glob("*.parquet"), runs),
        *checkpoints,
        *_others(layout.spectrum("x").parent.glob("*.parquet"), spectra),
        *_others(layout.work_spectrum("x").parent.glob("*.parquet"), spectra),
        *_others(layout.work_run("x").parent.glob("*"), runs),
        *_others(paths.PREPARED.glob("*"), datasets),
    ]
    return sorted(stray)


def remove(files: Iterable[Path]) -> None:
    """Remove files and folders, and checkpoint folders that become empty."""
    for path in files:
        if path.is_dir():
            shutil.rmtree(path)
            continue
        path.unlink()
        if path.suffix == ".safetensors" and not any(path.parent.iterdir()):
            path.parent.rmdir()


def size(path: Path) -> int:
    """Return the bytes of a file or a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _others(files: Iterable[Path], kept: set[str]) -> list[Path]:
    return [path for path in files if path.stem not in kept and path.name not in kept]
