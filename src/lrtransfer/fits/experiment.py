"""All fits of one experiment: its runs and curves in, its fit tables out."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lrtransfer.fits import (
    changes,
    consistency,
    edge_of_stability,
    hidden_updates,
    phases,
    trends,
)
from lrtransfer.fits.conditions import conditions
from lrtransfer.fits.drift import drift
from lrtransfer.fits.implicit_warmup import implicit_warmup
from lrtransfer.fits.intervals import check_confidence
from lrtransfer.fits.measured import measured_curves, quantity_curves
from lrtransfer.fits.optimum import optima
from lrtransfer.fits.regret import regret
from lrtransfer.fits.sweeps import sweeps

CURVATURES = ("sharpness", "preconditioned_sharpness", "ntk", "gauss_newton")
COMPARED = (
    "sharpness",
    "preconditioned_sharpness",
    "subset_loss",
    "ntk",
    "gauss_newton",
)


def fit_experiment(
    runs: pd.DataFrame, curves: pd.DataFrame, *, confidence: float = 0.95
) -> dict[str, pd.DataFrame]:
    """Return every fit table of one experiment by name.

    Names: optima, drift, regret, distances, consistency, trends, changes, edge_of_stability;
    of alignment and weight decay phases, phase_slopes, arm_differences, predicted_updates,
    implicit_warmup, warmup_summary, conditions. A table whose input is missing (no measured run,
    one size) is empty but has its columns. Sizes are widths or depths (`fits.size`).

    Args:
        runs: one row per run of ONE experiment.
        curves: one row per kept step; rows of other experiments' runs are ignored.
        confidence: of all intervals, e.g. 0.95.

    Raises:
        ValueError: `runs` is empty or holds several experiments, a needed column is missing,
            or `confidence` is not between 0 and 1.
    """
    check_confidence(confidence)
    if runs.empty:
        raise ValueError("runs is empty: train the experiment's runs first")
    if "experiment" in runs.columns and runs["experiment"].nunique() > 1:
        raise ValueError("runs holds several experiments: pass the rows of one")
    all_sweeps = list(sweeps(runs))
    measured = measured_curves(runs, curves)
    compared = [c for q in COMPARED for c in quantity_curves(measured, q)]
    scaled = [c for q in CURVATURES for c in quantity_curves(measured, q)]
    aligned = [c for q in phases.QUANTITIES for c in quantity_curves(measured, q)]
    nets = list(hidden_updates.hidden(runs, measured))
    warmup, warmup_summary = implicit_warmup(nets, measured, confidence)
    return {
        "optima": optima(all_sweeps, confidence),
        "drift": drift(all_sweeps, confidence),
        "regret": regret(all_sweeps, confidence),
        "distances": _join(
            (consistency.distances(c) for c in compared), consistency.DISTANCE_COLUMNS
        ),
        "consistency": _join(
            (consistency.consistency(c, confidence) for c in compared), consistency.COLUMNS
        ),
        "trends": _join((trends.trends(c, confidence) for c in scaled), trends.COLUMNS),
        "changes": _join((changes.changes(c, confidence) for c in scaled), changes.COLUMNS),
        "edge_of_stability": edge_of_stability.edge_of_stability(runs, measured, confidence),
        "phases": _join((phases.phases(c, confidence) for c in aligned), phases.COLUMNS),
        "phase_slopes": _join(
            (phases.phase_slopes(c, confidence) for c in aligned), phases.SLOPE_COLUMNS
        ),
        "arm_differences": phases.arm_differences(aligned, runs, confidence),
        "predicted_updates": hidden_updates.predicted(nets),
        "implicit_warmup": warmup,
        "warmup_summary": warmup_summary,
        "conditions": conditions(nets),
    }


def _join(tables: Iterable[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Stack tables; empty ones are skipped, so that they do not turn numbers into objects."""
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
