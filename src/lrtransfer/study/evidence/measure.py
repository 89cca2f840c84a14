"""What a claim may measure: a number with its interval, out of an experiment's estimates.

A measure is a function in a file of `measures`, under `@measure(...)`. Writing it there is all it
takes: claims.yaml names it, and its keyword-only parameters are the options of the claim, checked
by their annotations (`lrtransfer.study.plan.claims`, which reads the source).

    @measure("log2 of the loss of {arm} at its optimum", unit="octaves", kind="mean")
    def best_loss(estimates: Estimates, *, arm: Arm) -> Estimate | None:
        ...

It returns None where the experiment lacks what it needs. A measure of one `arm` takes `minus:
another arm`, too: the difference of the two, paired by seed and size (`transfer.pairing`). Where
that is not one estimate less another, it declares `minus` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any, TypeAlias

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.plan.catalog import measure_sources
from lrtransfer.study.plan.measures import Kind
from lrtransfer.study.plan.places import imported, study
from lrtransfer.transfer.estimate import Estimate
from lrtransfer.transfer.pairing import difference
from lrtransfer.transfer.size import PLURAL, Axis

# What options are; `plan.claims` knows them by these names.
Arm: TypeAlias = str
Arms: TypeAlias = tuple[str, ...]
Pair: TypeAlias = tuple[str, str]
Span: TypeAlias = tuple[float, float]  # two shares of a run, the lower one first
Curvature: TypeAlias = str
Compared: TypeAlias = str
Aligned: TypeAlias = str
Predictor: TypeAlias = str
Course: TypeAlias = str


@dataclass(frozen=True)
class Measure:
    """A measure of claims.

    Attributes:
        function: estimates and options -> the estimate.
        text: what is measured, with options, `axis` and its plural `axes` in braces.
        unit: of the value.
        kind: what more of would narrow the interval: `slope` over sizes (seeds and sizes), `mean`
            over seeds, or a statistic over `arms`.
    """

    function: Callable[..., Estimate | None]
    text: str
    unit: str
    kind: Kind

    def __call__(
        self, estimates: Estimates, *, minus: Arm | Pair | None = None, **options: Any
    ) -> Estimate | None:
        """Return the estimate, or the difference to that of the arm `minus`.

        Raises:
            ValueError: The function returns something else.
        """
        if minus is None:
            return self._of(estimates, options)
        if "minus" in signature(self.function).parameters:
            return self._of(estimates, {"minus": minus, **options})
        own = self._of(estimates, options)
        other = self._of(estimates, {**options, "arm": minus})
        if own is None or other is None:
            return None
        # A slope whose units are of no size is the mean of one slope per seed.
        by_size = self.kind == "slope" and any(unit.size for unit in own.units)
        return difference(own, other, slope=by_size)

    def _of(self, estimates: Estimates, options: Mapping[str, Any]) -> Estimate | None:
        found = self.function(estimates, **options)
        if found is not None and not isinstance(found, Estimate):
            raise ValueError(
                f"{self.function.__name__} returns {type(found).__name__}, and not an Estimate or "
                "None"
            )
        return found

    def words(self, options: Mapping[str, Any], axis: Axis) -> str:
        """Return what is measured, with its unit.

        Args:
            options: as the claim gives them.
            axis: along which the experiment's sizes grow.
        """
        given = {**(self.function.__kwdefaults__ or {}), **options}
        said = {name: _said(value) for name, value in given.items()}
        text = self.text.format(axis=axis, axes=PLURAL[axis], **said)
        if given.get("minus") is not None:
            text += f", minus that of {said['minus']}"
        return text if self.unit == "1" else f"{text}, {self.unit.format(axis=axis)}"


def measure(
    text: str, *, unit: str, kind: Kind
) -> Callable[[Callable[..., Estimate | None]], Measure]:
    """Make a function a measure; see `Measure` for the arguments."""
    return lambda function: Measure(function, text, unit, kind)


def every_measure() -> dict[str, Measure]:
    """Return the measures of all files by name."""
    return _every(study())


@cache
def _every(folder: Path) -> dict[str, Measure]:
    """Return the measures as seen from a study's folder."""
    return {
        name: value
        for source in measure_sources()
        for name, value in vars(imported(source)).items()
        if isinstance(value, Measure)
    }


def _said(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " and ".join(_said(one) for one in value)
    if value is None:
        return "best"
    return str(value).replace("_", " ").replace("*", " × ").replace("<", " < ")
