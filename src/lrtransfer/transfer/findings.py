"""Optima, drifts, regrets, laws and predictions of a table of runs, as tidy frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lrtransfer.transfer.effective import over_effective_rate
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.held_out import covers
from lrtransfer.transfer.laws import Law, fits
from lrtransfer.transfer.optimum import Optimum, of_law
from lrtransfer.transfer.predict import (
    PredictionRefused,
    check_line,
    check_reach,
    known_law,
    predicted,
)
from lrtransfer.transfer.regret import Regret, regrets
from lrtransfer.transfer.roles import JudgeError, Roles
from lrtransfer.transfer.rules import Above
from lrtransfer.transfer.stacked import mean_losses
from lrtransfer.transfer.sweeps import Sweep
from lrtransfer.transfer.table import resolved
from lrtransfer.transfer.table_sweeps import Swept

_NO = float("nan")

#: Of an arm: the law that predictions are made from, or why there is none.
_Known = Law | PredictionRefused


@dataclass(frozen=True, eq=False)
class Findings:
    """What a table of runs says; the frames have the columns named in docs/judge.md.

    Attributes:
        roles: which columns of the table are what.
        swept: its sweeps.
        values: per sweep, per rate the tuned values that are best there.
        confidence: of the intervals.
        reference: of the regret; None: each arm's smallest size.
    """

    roles: Roles
    swept: Swept
    values: list[list[tuple[Any, ...]]]
    confidence: float
    reference: Mapping[str, float] | None

    @cached_property
    def optima(self) -> pd.DataFrame:
        """Arm, sizes, `rate, ci_low, ci_high, loss`, tuned columns, `n_seeds, side`.

        `side` is `inside`, the end of the rates at which the valley is open (`low`, `high`,
        `both`: a single rate), or `none` where every run diverged.
        """
        rows: list[dict[str, Any]] = []
        known = list(self.optimum_of.values())
        at = np.array([found.log2_rate.value for found in known])
        losses = dict(zip(self.optimum_of, mean_losses([f.sweep for f in known], at), strict=True))
        for sweep, n_seeds, tuned in zip(
            self.swept.sweeps, self.swept.n_seeds, self.values, strict=True
        ):
            found = self.optimum_of.get(id(sweep))
            rows.append(
                self._place(sweep)
                | self._rate(found.log2_rate if found else Estimate(_NO))
                | {"loss": self._sign * float(losses.get(id(sweep), _NO))}
                | dict(zip(self.roles.tuned, _nearest(sweep, found, tuned), strict=True))
                | {"n_seeds": n_seeds, "side": found.side if found else "none"}
            )
        return self._beside(pd.DataFrame(rows), "optima", "rate")

    @cached_property
    def drift(self) -> pd.DataFrame:
        """Arm, axis, `value, ci_low, ci_high, p_value, n_sizes`: octaves of rate per octave."""
        rows: list[dict[str, Any]] = []
        for arm, group in self.groups.items():
            for axis in self.roles.size:
                found = self._term(arm, axis)
                p = found.p(Above(0.0)) if math.isfinite(found.value) else None
                sizes = {s.sizes[axis] for s in group if s.has_optimum}
                rows.append(
                    {"arm": arm, "axis": axis}
                    | self._limits(found)
                    | {"p_value": _NO if p is None else p, "n_sizes": len(sizes)}
                )
        return self._beside(pd.DataFrame(rows), "drift", "value")

    @cached_property
    def regret(self) -> pd.DataFrame:
        """Arm, sizes, `value, ci_low, ci_high`: loss given up by using the reference's rate."""
        return pd.DataFrame(
            [self._place(found.sweep) | self._limits(found.loss) for found in self._regrets]
        )

    @cached_property
    def laws(self) -> pd.DataFrame:
        """Arm, term (`constant` and each axis), `value, ci_low, ci_high`: log2 of the rate."""
        terms = ("constant", *self.roles.size)
        rows = [
            {"arm": arm, "term": term} | self._limits(self._term(arm, term))
            for arm in self.groups
            for term in terms
        ]
        return self._beside(pd.DataFrame(rows), "laws", "value")

    @cached_property
    def effective(self) -> Findings | None:
        """The same over the effective rate: every `rate` is one; None where no column has it."""
        if self.roles.effective is None:
            return None
        swept, orders = over_effective_rate(self.swept)
        values = [[own[i] for i in order] for own, order in zip(self.values, orders, strict=True)]
        roles = replace(self.roles, effective=None)
        return Findings(roles, swept, values, self.confidence, self.reference)

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """Arm, `rate_is`, sizes, `predicted, ci_low, ci_high, measured, covered, refused`.

        Each arm's largest size, predicted from the others; `rate_is` `nominal` or `effective`,
        `covered` whether the prediction's interval holds what was found there.
        """
        both = {"nominal": self} | ({"effective": self.effective} if self.effective else {})
        rows = [
            {"arm": arm, "rate_is": kind} | found._hold_out(group)
            for arm in self.groups
            for kind, found in both.items()
            for group in [found.groups[arm]]
        ]
        return pd.DataFrame(rows)

    def predict(self, /, **size: object) -> pd.DataFrame:
        """Return arm, sizes, `rate, ci_low, ci_high, refused` at sizes that were not run.

        Args:
            size: a number or several for each axis; an axis of which the table has one value
                need not be named.

        Raises:
            JudgeError: an axis is not named or not of the table, or a size is not positive.
        """
        given = resolved(size, self.roles.size, "predict")
        for axis in self.roles.size:
            values = {s.sizes[axis] for s in self.swept.sweeps}
            if axis not in given and len(values) > 1:
                raise JudgeError(f"predict: say at which {axis}, as {axis}={max(values):g}")
            given.setdefault(axis, np.array(min(values)))
        try:
            sizes = np.broadcast_arrays(*(np.atleast_1d(given[a]) for a in self.roles.size))
        except ValueError:
            raise JudgeError("predict: as many values for one axis as for another") from None
        wanted = [
            dict(zip(self.roles.size, map(float, at), strict=True))
            for at in zip(*(s.ravel() for s in sizes), strict=True)
        ]
        rows = [self._predicted(arm, at) for arm in self.groups for at in wanted]
        found = pd.DataFrame(rows)
        if self.effective is None:
            return found
        other = self.effective.predict(**size)
        found = _with_effective(found, other, "rate")
        return found.assign(effective_refused=other["refused"])

    def tables(self, predictions: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
        """Return every table by its name."""
        names = ["optima", "drift", "regret", "laws"]
        if self.effective is not None:
            names.append("held_out")
        tables = {name: getattr(self, name) for name in names}
        return tables if predictions is None else tables | {"predictions": predictions}

    @cached_property
    def groups(self) -> dict[str, list[Sweep]]:
        """Arm -> its sweeps."""
        groups: dict[str, list[Sweep]] = {}
        for sweep in self.swept.sweeps:
            groups.setdefault(sweep.arm, []).append(sweep)
        return groups

    @cached_property
    def law_of(self) -> dict[str, Law]:
        """Arm -> the law of its optima; arms of which every run diverged have none."""
        with np.errstate(all="ignore"):
            able = {a: g for a, g in self.groups.items() if any(s.has_optimum for s in g)}
            return dict(zip(able, fits(list(able.values())), strict=True))

    @cached_property
    def optimum_of(self) -> dict[int, Optimum]:
        """The id of each sweep with an optimum -> that."""
        with np.errstate(all="ignore"):
            return {id(o.sweep): o for law in self.law_of.values() for o in of_law(law)}

    def optima_of(self, arm: str) -> list[Optimum]:
        """Return the optima of an arm's sweeps, of those that have one."""
        found = (self.optimum_of.get(id(s)) for s in self.groups[arm])
        return [optimum for optimum in found if optimum is not None]

    def axes_of(self, arm: str) -> tuple[str, ...]:
        """Return the axes along which the law of an arm tells a drift."""
        return self.law_of[arm].axes if arm in self.law_of else ()

    def reference_of(self, arm: str) -> Sweep | None:
        """Return the sweep whose best rate is used at the arm's other sizes."""
        return next((r.sweep for r in self._regrets if r.is_reference and r.sweep.arm == arm), None)

    @cached_property
    def _regrets(self) -> list[Regret]:
        with np.errstate(all="ignore"):
            return regrets(self.swept.sweeps, self.reference)

    @cached_property
    def _answering(self) -> dict[str, _Known]:
        """Arm -> the law that predictions are made from, or why there is none."""
        answers: dict[str, _Known] = {}
        for arm, group in self.groups.items():
            try:
                with np.errstate(all="ignore"):
                    answers[arm] = known_law(group)
            except PredictionRefused as refused:
                answers[arm] = refused
        return answers

    @property
    def _sign(self) -> float:
        return -1.0 if self.roles.maximize else 1.0

    def _predicted(self, arm: str, at: dict[str, float]) -> dict[str, object]:
        group, refused, found = self.groups[arm], "", Estimate(_NO)
        try:
            for axis in self.roles.size:
                swept_sizes = [s.sizes[axis] for s in group]
                check_reach(axis, swept_sizes, at[axis], alone=len(at) == 1)
            law = self._answering[arm]
            if isinstance(law, PredictionRefused):
                raise law
            check_line(law, at)
            found = law.at(at)
        except PredictionRefused as reason:
            refused = str(reason)
        return {"arm": arm, **at, **self._rate(found), "refused": refused}

    def _hold_out(self, group: list[Sweep]) -> dict[str, Any]:
        """Return the largest size of an arm, predicted from the others and measured."""
        *others, last = sorted(group, key=lambda s: tuple(s.sizes.values()))
        measured, found, refused = Estimate(_NO), Estimate(_NO), ""
        try:
            if not others:
                raise PredictionRefused("there is one size: sweep others")
            with np.errstate(all="ignore"):
                known_law(group)
                _, found = predicted(others, last.sizes)
            measured = self.optimum_of[id(last)].log2_rate
        except PredictionRefused as reason:
            refused = str(reason)
        limits = self._rate(found)
        return {
            **last.sizes,
            "predicted": limits.pop("rate"),
            **limits,
            "measured": self._rate(measured)["rate"],
            "covered": None if refused else covers(found, measured, self.confidence),
            "refused": refused,
        }

    def _beside(self, frame: pd.DataFrame, name: str, value: str) -> pd.DataFrame:
        """Return a frame with the like over the effective rate beside it, if there is one."""
        other = self.effective
        return frame if other is None else _with_effective(frame, getattr(other, name), value)

    def _term(self, arm: str, term: str) -> Estimate:
        law = self.law_of.get(arm)
        known = law is not None and (term in law.terms) and bool(law.axes)
        return law.terms[term] if law is not None and known else Estimate(_NO)

    def _place(self, sweep: Sweep) -> dict[str, Any]:
        return {"arm": sweep.arm, **{axis: sweep.sizes[axis] for axis in self.roles.size}}

    def _limits(self, found: Estimate) -> dict[str, float]:
        value, low, high = found.interval(self.confidence)
        return {"value": value, "ci_low": low, "ci_high": high}

    def _rate(self, log2_rate: Estimate) -> dict[str, float]:
        with np.errstate(over="ignore"):
            value, low, high = np.exp2(np.array(log2_rate.interval(self.confidence)))
        return {"rate": float(value), "ci_low": float(low), "ci_high": float(high)}


def _with_effective(frame: pd.DataFrame, other: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return a frame with a value and its limits over the effective rate as further columns."""
    names = {value: f"effective_{value}", "ci_low": "effective_low", "ci_high": "effective_high"}
    return frame.assign(**{new: other[old].to_numpy() for old, new in names.items()})


def _nearest(sweep: Sweep, found: Optimum | None, tuned: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return the tuned values at the usable rate nearest the optimum."""
    if found is None:
        return (None,) * len(tuned[0])
    away = np.where(sweep.usable, np.abs(sweep.log2_rate - found.log2_rate.value), np.inf)
    return tuned[int(np.argmin(away))]
