"""The check of one model family under one parameterization and optimizer, and of many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from lrtransfer.coordinates.growth import Judged, judge
from lrtransfer.coordinates.measurement import measure
from lrtransfer.coordinates.prediction import predict
from lrtransfer.coordinates.problem import Problem, problem
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.parameterizations import builtin, family
from lrtransfer.study.plan.schema import ParameterizationSpec

OPTIMIZERS = ("sgd", "adamw")


@dataclass(frozen=True)
class Combination:
    """What one check is of."""

    model: str
    parameterization: str
    optimizer: str

    def __str__(self) -> str:
        return f"{self.model} × {self.parameterization} × {self.optimizer}"


@dataclass(frozen=True)
class Check:
    """The judged coordinates of one combination, in the order of the network's calls."""

    combination: Combination
    coordinates: list[Judged]

    @property
    def as_predicted(self) -> bool:
        """Whether every coordinate has the exponent that the rule implies."""
        return all(judged.as_predicted for judged in self.coordinates)

    @property
    def stable(self) -> bool:
        """Whether no coordinate is shown to grow with the width."""
        return all(judged.stable for judged in self.coordinates)

    @property
    def worst(self) -> Judged:
        """The coordinate farthest from its prediction."""
        return max(self.coordinates, key=lambda judged: judged.deviation)

    @property
    def fastest(self) -> Judged:
        """The coordinate whose interval starts highest: the most clearly shown to grow."""
        known = [judged for judged in self.coordinates if not math.isnan(judged.measured.low)]
        return max(known, key=lambda judged: judged.measured.low)


def combinations(
    models: Sequence[str],
    parameterizations: Sequence[str],
    optimizers: Sequence[str],
    specs: Mapping[str, ParameterizationSpec],
) -> list[Combination]:
    """Return the combinations that exist; an empty sequence stands for all.

    A parameterization without a column for an optimizer's family is left out.

    Raises:
        ValueError: A name is unknown, or no combination is left; the message names it.
    """
    asked = {
        "model": (models, catalog.names("models")),
        "parameterization": (parameterizations, tuple(specs)),
        "optimizer": (optimizers, catalog.names("optim")),
    }
    for kind, (names, known) in asked.items():
        for name in names:
            if name not in known:
                raise ValueError(f"{kind} is {name!r}. Give one of {', '.join(known)}.")
    found = [
        Combination(model, parameterization, optimizer)
        for model in models or catalog.names("models")
        for parameterization in parameterizations or specs
        for optimizer in optimizers or OPTIMIZERS
        if family(optimizer) in specs[parameterization].families
    ]
    if not found:
        raise ValueError(
            f"no parameterization of {', '.join(parameterizations)} has a column for "
            f"{', '.join(optimizers)}. Give another optimizer."
        )
    return found


def check(
    combination: Combination,
    *,
    specs: Mapping[str, ParameterizationSpec] | None = None,
    within: Problem | None = None,
    seeds: Sequence[int] = range(4),
) -> Check:
    """Train a combination's networks and judge their coordinates.

    Args:
        combination: Model family, parameterization, optimizer.
        specs: Parameterizations by name; None for the package's own.
        within: The networks and the batch; None for the family's own.
        seeds: Of the initial weights; two or more.

    Raises:
        UnpredictableError: Under the rules a feature does not start at order one.
        UnknownRoleError: The rules lack the role of a tensor.
    """
    posed = within or problem(combination.model)
    column = family(combination.optimizer)
    spec = (specs or builtin())[combination.parameterization]
    rules = resolved(spec, column)
    predicted = predict(posed, rules, column)
    sizes = measure(posed, rules, combination.optimizer, seeds=seeds)
    return Check(combination, judge(sizes, predicted, posed.widths))


def resolved(spec: ParameterizationSpec, column: str) -> dict[str, Any]:
    """Return the rules of one optimizer family as plain data: role -> exponents."""
    rules = dict(spec.families)[cast("Literal['sgd', 'adam']", column)]
    return {role: rule.model_dump(exclude_defaults=True) for role, rule in rules.items()}


def check_all(
    wanted: Sequence[Combination], specs: Mapping[str, ParameterizationSpec]
) -> Iterator[Check]:
    """Yield the check of each combination as soon as it is done."""
    for combination in wanted:
        yield check(combination, specs=specs)
