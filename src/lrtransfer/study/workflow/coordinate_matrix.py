"""The coordinate check of the study's models: families × parameterizations × optimizers.

Prints a line for each combination and writes two tables: a row per combination, and a row per
coordinate.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from lrtransfer.coordinates.exponents import Exponent, predict
from lrtransfer.coordinates.growth import CoordinateCheck, Judged, judge
from lrtransfer.coordinates.networks import EPSILON, Network, Problem, scaled_network
from lrtransfer.coordinates.sizes import measure
from lrtransfer.scaling.roles import Roles
from lrtransfer.scaling.rules import Constants
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.exponents import Column, ParameterizationSpec
from lrtransfer.study.plan.parameterizations import family
from lrtransfer.study.plan.run_config import ModelConfig
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.storage.atomic import write_text
from lrtransfer.study.training import streams
from lrtransfer.study.training.network import build

OPTIMIZERS = ("sgd", "adamw")
OUTPUTS = 16
FEATURES = 16

_HEADER = ("model", "parameterization", "optimizer", "verdict", "growth", "farthest from its rule")
_LINE = "{:17} {:31} {:9} {:13} {:9} {}"
_COMBINATION = ("model", "parameterization", "optimizer")
_EXPONENTS = ("exponent", "low", "high", "predicted_low", "predicted_high")
_SUMMARY = (
    *_COMBINATION,
    "coordinates",
    "as_predicted",
    "worst",
    *_EXPONENTS,
    "stable",
    "fastest",
    "fastest_exponent",
    "fastest_low",
    "fastest_high",
)
_COORDINATES = (*_COMBINATION, "module", "quantity", *_EXPONENTS, "as_predicted", "stable")


class FailedCheckError(RuntimeError):
    """Combinations whose coordinates do not grow as their own rules say."""


@dataclass(frozen=True)
class Combination:
    """What one check is of."""

    model: str
    parameterization: str
    optimizer: str

    def __str__(self) -> str:
        return f"{self.model} × {self.parameterization} × {self.optimizer}"


@dataclass(frozen=True)
class Sizes:
    """What a family is checked at: the literal `COORDINATE_CHECK` of its file.

    Small images and batches: exponents need the range of widths, not the size of the data.

    Attributes:
        widths: N, ascending; the first is the parameterization's base width.
        samples: Batch size.
        depth: L; None for the family's default.
        options: Options of the family; the others are its own defaults.
        optimizers: For which the family's roles are known to hold.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256)
    samples: int = 4
    depth: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    optimizers: Sequence[str] = OPTIMIZERS


Done = tuple[Combination, CoordinateCheck]


def run(
    models: Sequence[str],
    parameterizations: Sequence[str],
    optimizers: Sequence[str],
    specs: Mapping[str, ParameterizationSpec],
    *,
    out: Path | None = None,
    coordinates: Path | None = None,
) -> None:
    """Check combinations, print a line for each and write the tables.

    Args:
        models: Model families; an empty sequence stands for all, here and below.
        parameterizations: Names in `specs`.
        optimizers: Names; all stands for `sgd` and `adamw`.
        specs: Parameterizations by name.
        out: CSV file of a row per combination; None writes none, here and below.
        coordinates: CSV file of a row per coordinate.

    Raises:
        ValueError: A name is unknown, or rules do not let features start at order one.
        FailedCheckError: A combination fails its own prediction; the files are written all the
            same.
    """
    wanted = combinations(models, parameterizations, optimizers, specs)
    print(_LINE.format(*_HEADER))
    done: list[Done] = []
    for combination, found in check_all(wanted, specs):
        done.append((combination, found))
        print(line(combination, found), flush=True)
    for path, table in ((out, summary), (coordinates, every_coordinate)):
        if path is not None:
            write_text(path, table(done))
            print(f"wrote {path}", file=sys.stderr)
    failed = [combination for combination, found in done if not found.as_predicted]
    print(f"{len(done) - len(failed)} of {len(done)} combinations are as predicted")
    if failed:
        names = ", ".join(map(str, failed[:5]))
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        raise FailedCheckError(f"not as predicted: {names}{more}; see the table")


def combinations(
    models: Sequence[str],
    parameterizations: Sequence[str],
    optimizers: Sequence[str],
    specs: Mapping[str, ParameterizationSpec],
) -> list[Combination]:
    """Return the combinations that exist; an empty sequence stands for all.

    A parameterization without a column for an optimizer's family is left out.

    Raises:
        StudyError: A name is unknown; the message names it.
        ValueError: No combination is left.
    """
    asked = {
        "model": (models, catalog.families()),
        "parameterization": (parameterizations, tuple(specs)),
        "optimizer": (optimizers, catalog.names("optim")),
    }
    for kind, (names, known) in asked.items():
        for name in names:
            if name not in known:
                raise StudyError([f"--{kind} {name}: unknown. Give one of {', '.join(known)}."])
    found = [
        Combination(model, parameterization, optimizer)
        for model in models or catalog.families()
        for parameterization in parameterizations or specs
        for optimizer in optimizers or family_sizes(model).optimizers
        if family(optimizer) in specs[parameterization].families
    ]
    if not found:
        raise ValueError(
            f"no parameterization of {', '.join(parameterizations)} has a column for "
            f"{', '.join(optimizers)}. Give another optimizer."
        )
    return found


def check_all(
    wanted: Iterable[Combination], specs: Mapping[str, ParameterizationSpec]
) -> Iterator[Done]:
    """Yield each combination with its check as soon as it is done."""
    for combination in wanted:
        yield combination, check(combination, specs)


def check(
    combination: Combination,
    specs: Mapping[str, ParameterizationSpec],
    sizes: Sizes | None = None,
    seeds: Sequence[int] = range(4),
) -> CoordinateCheck:
    """Train a combination's networks and judge their coordinates.

    Args:
        combination: Model family, parameterization, optimizer.
        specs: Parameterizations by name.
        sizes: In place of those of the family's file.
        seeds: Of the initial weights; two or more.

    Raises:
        UnpredictableError: Under the rules a feature does not start at order one.
        UnknownRoleError: The rules lack the role of a tensor.
    """
    rules = column_rules(specs[combination.parameterization], _column(combination.optimizer))
    posed = problem(combination.model, rules, combination.optimizer, sizes)
    predicted = predict(posed, _column(combination.optimizer))
    return judge(measure(posed, seeds=seeds), posed.widths, predicted)


def column_rules(spec: ParameterizationSpec, column: Column) -> dict[str, Any]:
    """Return the rules of one optimizer family as plain data: role -> exponents."""
    rules = spec.families[column]
    return {role: rule.model_dump(exclude_defaults=True) for role, rule in rules.items()}


def family_sizes(model: str) -> Sizes:
    """Return what a family is checked at; one whose file tells nothing has the defaults."""
    try:
        told = catalog.constant("models", model, "COORDINATE_CHECK")
    except LookupError:
        return Sizes()
    return Sizes(**told)


def problem(
    model: str, rules: Mapping[str, Any], optimizer: str, sizes: Sizes | None = None
) -> Problem:
    """Return the networks of a model family under `rules`, and the noise they are trained on.

    Args:
        model: A model family, by its file's name.
        rules: Role -> exponents, of the column that `optimizer` follows.
        optimizer: An optimizer, by its file's name.
        sizes: In place of those of the family's file.
    """
    sizes = sizes or family_sizes(model)
    options: dict[str, Any] = {
        name: option.default for name, option in catalog.options("models", model).items()
    }
    options |= sizes.options
    depth = sizes.depth or options["depth"]
    random = streams.generator("subset", 0)
    features = 0
    if "block_size" in options:
        places: tuple[int, ...] = (sizes.samples, options["block_size"])
        inputs = torch.randint(OUTPUTS, places, generator=random)
    else:
        image = "image_size" in options
        features = options["channels"] * options["image_size"] ** 2 if image else FEATURES
        places = (sizes.samples,)
        inputs = torch.randn(sizes.samples, features, generator=random, dtype=torch.float64)
    signs = torch.randn(*places, OUTPUTS, generator=random, dtype=torch.float64).sign()

    def network(width: int, seed: int) -> Network:
        with torch.random.fork_rng(devices=[]):  # constructors draw weights that are drawn anew
            asked = ModelConfig(family=model, options=dict(sizes.options), width=width, depth=depth)
            made = build(asked, features, OUTPUTS)
        return scaled_network(
            made,
            _roles(made),
            rules,
            Constants(base_width=sizes.widths[0], base_depth=depth),
            family="sgd" if _column(optimizer) == "sgd" else "adam",
            width=width,
            depth=depth,
            generator=streams.generator("initialisation", seed),
        )

    known = catalog.options("optim", optimizer)
    epsilon: dict[str, Any] = {"epsilon": EPSILON} if "epsilon" in known else {}
    stepper = partial(catalog.load("optim", optimizer), **epsilon)
    return Problem(tuple(sizes.widths), network, stepper, inputs, signs)


def line(combination: Combination, found: CoordinateCheck) -> str:
    """Return the verdicts of a check, with the coordinate that is farthest from its rule."""
    text = str(found.worst)
    if not found.stable:
        text += f"; grows: {found.fastest}"
    return _LINE.format(
        combination.model,
        combination.parameterization,
        combination.optimizer,
        "as predicted" if found.as_predicted else "FAILS",
        "stable" if found.stable else "unstable",
        text,
    )


def summary(done: Iterable[Done]) -> str:
    """Return a row per combination as CSV: both verdicts, each with the coordinate behind it."""
    return _csv(
        _SUMMARY,
        (
            (
                combination.model,
                combination.parameterization,
                combination.optimizer,
                len(found.coordinates),
                found.as_predicted,
                " ".join(found.worst.coordinates),
                *_exponents(found.worst),
                found.stable,
                " ".join(found.fastest.coordinates),
                *map(_decimal, found.fastest.measured),
            )
            for combination, found in done
        ),
    )


def every_coordinate(done: Iterable[Done]) -> str:
    """Return a row per coordinate as CSV; an exponent of a zero size is left empty."""
    return _csv(
        _COORDINATES,
        (
            (
                combination.model,
                combination.parameterization,
                combination.optimizer,
                *judged.coordinates,
                *_exponents(judged),
                judged.as_predicted,
                judged.stable,
            )
            for combination, found in done
            for judged in found.coordinates
        ),
    )


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return sink.getvalue()


def _exponents(judged: Judged) -> list[str]:
    predicted = judged.predicted or Exponent(math.nan, math.nan)
    return [_decimal(number) for number in (*judged.measured, *predicted)]


def _decimal(number: float) -> str:
    return f"{number:.3f}" if math.isfinite(number) else ""


def _column(optimizer: str) -> Column:
    return cast("Column", family(optimizer))


def _roles(model: nn.Module) -> Roles:
    roles: Roles = model.roles()  # type: ignore[operator]
    return roles
