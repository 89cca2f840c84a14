"""All estimates of one experiment: its runs and curves in, the rows of its tables out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from lrtransfer.study.evidence.conditions import run_lengths
from lrtransfer.study.evidence.consistency import consistency
from lrtransfer.study.evidence.dynamics import dynamics
from lrtransfer.study.evidence.edge_of_stability import edge_of_stability
from lrtransfer.study.evidence.estimates import Of, Row
from lrtransfer.study.evidence.final_losses import final_losses, losses_at_equal_price
from lrtransfer.study.evidence.hidden_updates import (
    Hidden,
    conditions,
    hidden,
    predicted_updates,
)
from lrtransfer.study.evidence.implicit_warmup import Warmup, warmups
from lrtransfer.study.evidence.measured import Curves, measured_curves, quantity_curves
from lrtransfer.study.evidence.phases import differences, levels, phases, slopes
from lrtransfer.study.evidence.predictors import predicted_drifts, predictors
from lrtransfer.study.evidence.trends import changes, trends
from lrtransfer.study.plan import catalog
from lrtransfer.transfer.drift import Drift, drifts
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.optimum import optima
from lrtransfer.transfer.regret import regrets
from lrtransfer.transfer.sweeps import Sweep, sweeps
from lrtransfer.transfer.transfer_metrics import transfer_metrics


class Experiment:
    """The sweeps and the measured curves of one experiment, read once.

    Args:
        runs: one row per run of ONE experiment.
        curves: one row per run and kept step; rows of other experiments' runs are ignored.

    Raises:
        ValueError: `runs` is empty or holds several experiments, or a needed column is missing.
    """

    def __init__(self, runs: pd.DataFrame, curves: pd.DataFrame) -> None:
        if runs.empty:
            raise ValueError("runs is empty: train the experiment's runs first")
        if "experiment" in runs.columns and runs["experiment"].nunique() > 1:
            raise ValueError("runs holds several experiments: pass the rows of one")
        self.runs = runs
        self.curves = curves[curves["key"].isin(runs["key"])]
        self.sweeps: list[Sweep] = list(sweeps(runs))
        self.measured = measured_curves(runs, curves)

    def estimates(self) -> Iterator[Row]:
        """Yield the rows of `results/estimates/<experiment>.parquet`."""
        yield from self._transfer()
        for curves in self._quantities("compared"):
            yield from consistency(curves)
            if curves.quantity in catalog.columns("curvature"):
                yield from trends(curves)
                yield from changes(curves)
        yield from edge_of_stability(self.runs, self.measured)
        aligned = [phases(curves) for curves in self._quantities("phases")]
        for own in aligned:
            yield from levels(own)
            yield from slopes(own)
        yield from differences(aligned, self.runs)
        for warmup in self._warmups:
            yield from warmup.summaries()
        yield from conditions(self._hidden)
        yield from run_lengths(self.runs)
        yield from predictors(predicted_drifts(self.measured, self._drifts))
        yield from final_losses(self.runs)
        yield from losses_at_equal_price(self.runs, self.curves)
        yield from dynamics(self.measured)

    def courses(self) -> Iterator[tuple[int, Row]]:
        """Yield step and row of `results/estimates/<experiment>.courses.parquet`."""
        for warmup in self._warmups:
            yield from warmup.courses()
        yield from predicted_updates(self._hidden)

    @cached_property
    def _hidden(self) -> list[Hidden]:
        return list(hidden(self.runs, self.measured))

    @cached_property
    def _warmups(self) -> list[Warmup]:
        return warmups(self._hidden, self.measured)

    @cached_property
    def _drifts(self) -> list[Drift]:
        return drifts(self.sweeps)

    def _quantities(self, kind: str) -> list[Curves]:
        names = catalog.columns(kind)
        return [curves for name in names for curves in quantity_curves(self.measured, name)]

    def _transfer(self) -> Iterator[Row]:
        """Yield what the sweeps say: optima, drifts, regrets and the metrics of later work."""
        for found in optima(self.sweeps):
            place = _place(found.sweep)
            unit = "log2 of the learning rate"
            at = "" if found.side == "inside" else found.side
            of = Of(statistic="optimum", unit=unit, at=at, **place)
            yield of, self._with_scatter(found.log2_rate)
            yield Of(statistic="optimal_loss", unit="loss", **place), Estimate(found.loss)
            ends = {
                "best_grid_rate": found.best_grid_rate,
                "valley_low": found.valley[0],
                "valley_high": found.valley[1],
            }
            for statistic, value in ends.items():
                yield Of(statistic=statistic, unit=unit, **place), Estimate(value)
        for drift in self._drifts:
            of = Of(
                statistic="drift",
                unit="octaves per octave",
                arm=drift.arm,
                axis=drift.axis,
                fixed=drift.fixed,
                n_sizes=drift.n_sizes,
            )
            yield of, self._with_scatter(drift.slope)
        for regret in regrets(self.sweeps):
            place = _place(regret.sweep)
            at = "reference" if regret.is_reference else ""
            of_loss = Of(statistic="regret", unit="loss", at=at, **place)
            yield of_loss, self._with_scatter(regret.loss)
            share = Estimate(regret.relative)
            yield Of(statistic="relative_regret", unit="1", at=at, **place), share
        yield from self._metrics()

    def _with_scatter(self, estimate: Estimate) -> Estimate:
        """Return an estimate without its scatter if that is assumed: one seed decides no claim."""
        several = any(len(sweep.seeds) > 1 for sweep in self.sweeps)
        return estimate if several or estimate.exact else replace(estimate, parts=())

    def _sizes(self, arm: str, fixed: int) -> int:
        return sum((sweep.arm, sweep.fixed) == (arm, fixed) for sweep in self.sweeps)

    def _metrics(self) -> Iterator[Row]:
        for own in transfer_metrics(self.sweeps):
            place: dict[str, Any] = {"arm": own.arm, "axis": own.axis, "fixed": own.fixed}
            place |= {"n_sizes": self._sizes(own.arm, own.fixed)}
            error = Of(statistic="fit_error", unit="octaves", **place)
            yield error, Estimate(own.fit_error)
            slopes = {
                "curvature_growth": own.curvature_growth,
                "kappa": own.kappa,
                "transfer_rate": own.rate,
            }
            for statistic, slope in slopes.items():
                yield Of(statistic=statistic, unit="octaves per octave", **place), slope
            penalty = Of(statistic="penalty", unit="1", size=own.penalty_size, **place)
            yield penalty, Estimate(own.penalty)
            of_slope = Of(statistic="penalty_slope", unit="octaves per octave", **place)
            yield of_slope, Estimate(own.penalty_slope)
            yield Of(statistic="given_up", unit="1", **place), own.given_up


def _place(sweep: Sweep) -> dict[str, Any]:
    return {"arm": sweep.arm, "axis": sweep.axis, "fixed": sweep.fixed, "size": sweep.size}
