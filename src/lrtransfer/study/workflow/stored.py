"""What stored tables and estimates say of themselves, and which of them there are.

Snakemake reads the Snakefile in every job, so this imports neither torch nor pandas.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lrtransfer.study.plan import fingerprint
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.sizes import size_of
from lrtransfer.study.storage.paths import Layout

# Of stored tables and estimates: raise it with their columns, and those of before are made anew.
_FORMAT = 1


def estimate_files(plan: Plan, layout: Layout, experiment: str) -> list[Path]:
    """Return the files of one experiment's estimates: one, and two more where they have content."""
    grid = plan.grid(experiment)
    files = [layout.estimates(experiment)]
    if grid.measure is not None and "alignment" in grid.measure.probes:
        files.append(layout.courses(experiment))
    if len(size_of(grid)[1]) > 1:
        files.append(layout.forecasts(experiment))
    return files


def drawable(plan: Plan, layout: Layout) -> Plan:
    """Return the plan of the experiments whose runs are stored; the same where none is."""
    stored = [name for name in plan.experiments if layout.table(name, "runs").is_file()]
    if not stored:
        return plan
    return replace(plan, study=plan.study.model_copy(update={"experiments": stored}))


def estimated_experiments(plan: Plan, layout: Layout) -> list[str]:
    """Return the selected experiments, and those that were estimated before under equal settings.

    So the ledger keeps what it says of an experiment that a narrower selection hides, and leaves
    out one whose stored estimates are of another scale, other seeds or another confidence.
    """
    return [
        name
        for name, experiment in plan.study.study.items()
        if name in plan.experiments
        or (
            plan.study.scale in experiment.scales
            and layout.estimates(name).is_file()
            and _about(layout.estimates(name)) == estimate_settings(plan, name)
        )
    ]


def table_settings(plan: Plan, experiment: str) -> dict[str, Any]:
    """Return what a stored table says of itself: whose it is, and in which form."""
    study = plan.study
    return {
        "experiment": experiment,
        "scale": study.scale,
        "seed_offset": study.seed_offset,
        "format": _FORMAT,
    }


def made_of(plan: Plan, table: Path) -> str:
    """Return a digest of the runs or spectra that a table is to be made of.

    Snakemake takes a table for made if it has no record of it, as in a clone, or if it was stored
    by hand; this says of which results it was made.
    """
    experiment, kind, _ = table.name.split(".")
    part = plan.part(experiment)
    return fingerprint.digest(
        sorted(one.key for one in (part.spectra if kind == "spectra" else part.runs))
    )


def estimate_settings(plan: Plan, experiment: str) -> dict[str, Any]:
    """Return what stored estimates say of themselves."""
    return table_settings(plan, experiment) | {"confidence": plan.study.fits.confidence}


def _about(path: Path) -> dict[str, Any]:
    # Imported here, since Snakemake reads this file in every job.
    from lrtransfer.study.storage.tables import read_about

    return read_about(path)
