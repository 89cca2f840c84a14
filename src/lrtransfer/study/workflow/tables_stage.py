"""From run and spectrum files to tables, fits and claims; no torch, no matplotlib."""

from __future__ import annotations

import pandas as pd

from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.index import index_and_curves, spectra_tables, to_arrow
from lrtransfer.study.evidence.ledger import evaluate_claims
from lrtransfer.study.plan import Plan
from lrtransfer.study.storage.paths import FIT_TABLES, RUN_TABLES, SPECTRA_TABLES, Layout
from lrtransfer.study.storage.tables import write_table
from lrtransfer.study.workflow.stored import read_frame, write_csv, write_json


def write_run_tables(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the runs of one experiment and their thinned curves."""
    tables = index_and_curves(plan.part(experiment), layout)
    for name, table in zip(RUN_TABLES, tables, strict=True):
        write_table(layout.table(experiment, name), to_arrow(table), {"scale": plan.study.scale})


def write_spectra_tables(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the eigenvalues and the densities of one experiment's checkpoints."""
    tables = spectra_tables(plan.part(experiment).spectra, layout)
    for name, table in zip(SPECTRA_TABLES, tables, strict=True):
        write_table(layout.table(experiment, name), to_arrow(table), {"scale": plan.study.scale})


def write_index(plan: Plan, layout: Layout) -> None:
    """Write one table of the runs of all selected experiments."""
    frames = [read_frame(layout.table(name, "runs")) for name in plan.experiments]
    about = {"scale": plan.study.scale, "experiments": list(plan.experiments)}
    write_table(layout.index, to_arrow(pd.concat(frames, ignore_index=True)), about)


def write_fits(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the fit tables and the claims of one experiment."""
    runs, curves = (read_frame(layout.table(experiment, name)) for name in RUN_TABLES)
    confidence = plan.study.fits.confidence
    whole = Experiment(runs, curves)
    fits = whole.fit(confidence)
    for name in FIT_TABLES:
        write_csv(layout.fit(experiment, name), fits[name])
    records = evaluate_claims(
        experiment,
        plan.study.scale,
        fits,
        fits_at=whole.intervals,
        seeds=whole.seeds,
        sizes=whole.sizes,
        confidence=confidence,
    )
    write_json(layout.experiment_claims(experiment), records)
