"""From run and spectrum files to tables, fits and claims; no torch, no matplotlib."""

from __future__ import annotations

from lrtransfer.fits.experiment import fit_experiment
from lrtransfer.fits.index import index_and_curves, spectra_tables, to_arrow
from lrtransfer.fits.ledger import evaluate_claims
from lrtransfer.storage.paths import FIT_TABLES, Layout
from lrtransfer.storage.tables import write_table
from lrtransfer.study import Plan
from lrtransfer.workflow.stored import read_frame, write_csv, write_json


def write_index(plan: Plan, layout: Layout) -> None:
    """Write the index and the thinned curves of all runs."""
    index, curves = index_and_curves(plan, layout)
    about = {"scale": plan.study.scale, "experiments": list(plan.experiments)}
    write_table(layout.index, to_arrow(index), about)
    write_table(layout.curves, to_arrow(curves), about)


def write_spectra_tables(plan: Plan, layout: Layout) -> None:
    """Write the eigenvalues and the densities of all checkpoints."""
    eigenvalues, density = spectra_tables(plan.spectra, layout)
    about = {"scale": plan.study.scale, "experiments": list(plan.experiments)}
    write_table(layout.eigenvalues, to_arrow(eigenvalues), about)
    write_table(layout.density, to_arrow(density), about)


def write_fits(plan: Plan, layout: Layout, experiment: str) -> None:
    """Write the fit tables and the claims of one experiment."""
    runs, curves = read_frame(layout.index), read_frame(layout.curves)
    fits = fit_experiment(
        runs[runs["experiment"] == experiment], curves, confidence=plan.study.fits.confidence
    )
    for name in FIT_TABLES:
        write_csv(layout.fit(experiment, name), fits[name])
    records = evaluate_claims(experiment, plan.study.scale, fits)
    write_json(layout.experiment_claims(experiment), records)
