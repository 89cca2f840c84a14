"""All fits of one experiment: its runs and curves in, its fit tables out."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lrtransfer.study.evidence import (
    changes,
    consistency,
    edge_of_stability,
    hidden_updates,
    phases,
    predictors,
    trends,
)
from lrtransfer.study.evidence.conditions import conditions
from lrtransfer.study.evidence.implicit_warmup import implicit_warmup
from lrtransfer.study.evidence.measured import measured_curves, quantity_curves
from lrtransfer.study.evidence.tuned import evidence
from lrtransfer.study.storage.paths import FIT_TABLES
from lrtransfer.transfer.drift import drift
from lrtransfer.transfer.held_out import forecast, held_out, transfer_laws
from lrtransfer.transfer.intervals import check_confidence
from lrtransfer.transfer.optimum import optima
from lrtransfer.transfer.regret import regret
from lrtransfer.transfer.sweeps import sweeps
from lrtransfer.transfer.transfer_metrics import transfer_metrics

CURVATURES = ("sharpness", "preconditioned_sharpness", "ntk", "gauss_newton")
COMPARED = (
    "sharpness",
    "preconditioned_sharpness",
    "subset_loss",
    "ntk",
    "gauss_newton",
)


class Experiment:
    """The sweeps and the measured curves of one experiment, read once and fitted at will.

    Attributes:
        sweeps: its sweeps.
        seeds: smallest number of seeds of any sweep.
        sizes: largest number of sizes of any arm.
    """

    def __init__(self, runs: pd.DataFrame, curves: pd.DataFrame) -> None:
        """Read the tables (`fit_experiment` says which, and what is refused)."""
        if runs.empty:
            raise ValueError("runs is empty: train the experiment's runs first")
        if "experiment" in runs.columns and runs["experiment"].nunique() > 1:
            raise ValueError("runs holds several experiments: pass the rows of one")
        self.sweeps = list(sweeps(runs))
        self.seeds = min(len(sweep.valleys) for sweep in self.sweeps)
        arms = [(sweep.arm, sweep.fixed) for sweep in self.sweeps]
        self.sizes = max(arms.count(arm) for arm in arms)
        self._runs, self._curves = runs, curves
        self._measured = measured_curves(runs, curves)
        self._compared = [c for q in COMPARED for c in quantity_curves(self._measured, q)]
        self._scaled = [c for q in CURVATURES for c in quantity_curves(self._measured, q)]
        self._aligned = [c for q in phases.QUANTITIES for c in quantity_curves(self._measured, q)]
        self._nets = list(hidden_updates.hidden(runs, self._measured))

    def fit(self, confidence: float) -> dict[str, pd.DataFrame]:
        """Return every fit table by name (`fit_experiment`)."""
        return {
            **self.intervals(confidence),
            "distances": _join(
                (consistency.distances(c) for c in self._compared), consistency.DISTANCE_COLUMNS
            ),
            "predicted_updates": hidden_updates.predicted(self._nets),
            "laws": transfer_laws(self.sweeps),
            "held_out": held_out(self.sweeps, confidence),
            "forecast": forecast(self.sweeps, confidence),
            "transfer_metrics": transfer_metrics(self.sweeps, confidence),
        }

    def intervals(self, confidence: float) -> dict[str, pd.DataFrame]:
        """Return the tables that claims are judged on; their limits depend on `confidence`."""
        check_confidence(confidence)
        warmup, warmup_summary = implicit_warmup(self._nets, self._measured, confidence)
        drifts = drift(self.sweeps, confidence)
        predicted = predictors.predicted_drifts(self._measured, drifts, confidence)
        return {
            **evidence(self._runs, self._curves, confidence),
            "optima": optima(self.sweeps, confidence),
            "drift": drifts,
            "regret": regret(self.sweeps, confidence),
            "consistency": _join(
                (consistency.consistency(c, confidence) for c in self._compared),
                consistency.COLUMNS,
            ),
            "trends": _join((trends.trends(c, confidence) for c in self._scaled), trends.COLUMNS),
            "changes": _join(
                (changes.changes(c, confidence) for c in self._scaled), changes.COLUMNS
            ),
            "edge_of_stability": edge_of_stability.edge_of_stability(
                self._runs, self._measured, confidence
            ),
            "phases": _join((phases.phases(c, confidence) for c in self._aligned), phases.COLUMNS),
            "phase_slopes": _join(
                (phases.phase_slopes(c, confidence) for c in self._aligned), phases.SLOPE_COLUMNS
            ),
            "arm_differences": phases.arm_differences(self._aligned, self._runs, confidence),
            "implicit_warmup": warmup,
            "warmup_summary": warmup_summary,
            "conditions": conditions(self._nets),
            "predicted_drifts": predicted,
            "predictors": predictors.predictors(predicted, confidence),
            "predictor_differences": predictors.predictor_differences(predicted, confidence),
        }


def fit_experiment(
    runs: pd.DataFrame, curves: pd.DataFrame, *, confidence: float = 0.95
) -> dict[str, pd.DataFrame]:
    """Return every fit table of one experiment by name.

    The names are those of `storage.paths.FIT_TABLES`. A table whose input is missing (no measured
    run, one size) is empty but has its columns. Sizes are widths or depths (`fits.size`).

    Args:
        runs: one row per run of ONE experiment.
        curves: one row per kept step; rows of other experiments' runs are ignored.
        confidence: of all intervals, e.g. 0.95.

    Raises:
        ValueError: `runs` is empty or holds several experiments, a needed column is missing,
            or `confidence` is not between 0 and 1.
    """
    check_confidence(confidence)
    fits = Experiment(runs, curves).fit(confidence)
    return {name: fits[name] for name in FIT_TABLES}


def _join(tables: Iterable[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Stack tables; empty ones are skipped, so that they do not turn numbers into objects."""
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
