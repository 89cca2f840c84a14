"""Snakemake's records of what made each file, kept beside the results.

They tell Snakemake after a clone, a pull or a switch of versions that nothing needs to run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

RECORDS = Path(".snakemake/metadata")
KEPT = Path("results/provenance")


def save_provenance() -> int:
    """Make ``results/provenance`` a copy of Snakemake's records; return their number."""
    return _mirror(RECORDS, KEPT)


def restore_provenance() -> int:
    """Give Snakemake the records that lie in ``results/provenance``; return their number."""
    if not KEPT.is_dir():
        raise FileNotFoundError(
            f"{KEPT}: no provenance. Pull the results first: `dvc pull`, or `lrtransfer restore`."
        )
    return _copy(KEPT, RECORDS)


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
