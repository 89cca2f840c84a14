"""Coordinate check and curvature of a model by name: the study's own, or any function's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from inspect import signature
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.coordinates.coordinate_check import coordinate_check
from lrtransfer.scaling.groups import FAMILIES
from lrtransfer.scaling.layout import Layout
from lrtransfer.scaling.layouts import read_layouts
from lrtransfer.scaling.rules import Constants
from lrtransfer.scaling.table import mentions_branch_exponent, rules
from lrtransfer.study.data.described import described, sizes
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.expand import Plan, Run
from lrtransfer.study.plan.exponents import ParameterizationSpec
from lrtransfer.study.plan.messages import unknown
from lrtransfer.study.plan.parameterizations import family
from lrtransfer.study.plan.places import fault
from lrtransfer.study.plan.run_config import ModelConfig
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.spectra.problem import Problem, of_run
from lrtransfer.study.spectra.saved_model import function
from lrtransfer.study.training.network import build, run_network
from lrtransfer.study.training.outside import layout_of
from lrtransfer.study.workflow.coordinate_matrix import FEATURES, OUTPUTS, column_rules

WIDTHS = (32, 64, 128, 256)
_SAMPLES = 8
Pair = tuple[str, str]
"""A parameterization and an optimizer."""


def is_outside(model: str) -> bool:
    """Return whether a name is of a model that tells no roles, or `module:function`."""
    return ":" in model or (model in catalog.names("models") and not catalog.tells_roles(model))


def check_outside(
    models: Sequence[str],
    parameterizations: Sequence[str],
    optimizers: Sequence[str],
    specs: Mapping[str, ParameterizationSpec],
    plan: Plan | None = None,
) -> None:
    """Check the coordinates of models that tell no roles, and print a table for each.

    A model of the study has the options, the depth and the data's shape of its smallest run there.

    Args:
        models: Names of families, or `module:function` of a width.
        parameterizations: Names in `specs`; none stands for those of the study's arms with this
            model, or else for `mup`.
        optimizers: Names as of `lrtransfer.coordinate_check`; none stands likewise, or for `adamw`.
        specs: Parameterizations by name.
        plan: The study that may have the models.

    Raises:
        ValueError: A name is unknown, or a model does not fit.
        StudyError: The user's own code fails; the line names its file and line.
    """
    for model in models:
        used = _used(plan, model) if plan is not None else {}
        for name, optimizer in _pairs(used, parameterizations, optimizers):
            if name not in specs:
                raise ValueError(unknown("parameterization", name, specs))
            column: Any = family(optimizer)
            if column not in specs[name].families:
                raise ValueError(f"{name} has no rules for {optimizer}. Give another optimizer.")
            rule = {"families": {column: column_rules(specs[name], column)}}
            run = used.get((name, optimizer)) or next(iter(used.values()), None)
            try:
                about = _told(model, rule, column, plan, run)
                stepped = optimizer if optimizer in FAMILIES else column
                found = coordinate_check(rule=rule, optimizer=stepped, **about)
            except Exception as error:  # anything that a user's code may raise
                if (line := fault(error)) is None:
                    raise
                raise StudyError([line]) from error
            print(f"{model} × {name} × {optimizer}", found, sep="\n", flush=True)


def _used(plan: Plan, model: str) -> dict[Pair, Run]:
    """Return parameterization and optimizer of a model's arms, with the smallest run of each."""
    found: dict[Pair, Run] = {}
    for run in sorted(plan.runs, key=lambda one: (one.width, one.depth)):
        if run.config.model.family == model:
            arm = plan.study.study[run.experiment].arms[run.arm]
            found.setdefault((arm.parameterization, arm.optimizer.name), run)
    return found


def _pairs(
    used: Mapping[Pair, Run], parameterizations: Sequence[str], optimizers: Sequence[str]
) -> Iterable[Pair]:
    """Return parameterizations and optimizers: those asked for, or used together."""
    if used and not parameterizations and not optimizers:
        return used
    names, steppers = zip(*(used or [("mup", "adamw")]), strict=True)
    return product(parameterizations or dict.fromkeys(names), optimizers or dict.fromkeys(steppers))


def at_start(plan: Plan, model: str, samples: int | None) -> Problem:
    """Return the smallest network of a family that a study trains, with its initial weights.

    Args:
        plan: What the study asks for.
        model: The family.
        samples: Of its data set, as `of_run`; None takes as many as the run measures.

    Raises:
        StudyError: No run of the study has this model.
        ValueError: `samples` is missing.
        FileNotFoundError: Its data are not prepared.
    """
    runs = [run for run in plan.runs if run.config.model.family == model]
    if not runs:
        known = {run.config.model.family for run in plan.runs}
        raise StudyError([f"--model: {unknown('model of this study', model, known)}"])
    run = min(runs, key=lambda one: (not one.measured, one.width, one.depth))
    config = run.config
    count = samples or (config.measure.samples if config.measure else config.batch_size)
    network = run_network(config, *sizes(plan.data_of(config)), torch.device("cpu"))
    weights = network.model.state_dict()
    return of_run(config, weights, load_arrays(config.data), count, torch.device("cpu"))


def _told(
    model: str, rule: Mapping[str, Any], column: str, plan: Plan | None, run: Run | None
) -> dict[str, Any]:
    """Return what `coordinate_check` asks of a model: what makes it, widths, inputs, layout."""
    if ":" in model:
        return {"make_model": _of_width(model), "widths": WIDTHS}
    size = _size(model, run)
    block = size.options.get("block_size")
    shape: tuple[int, ...] = (FEATURES,)
    features, outputs = FEATURES, OUTPUTS
    if plan is not None and run is not None:
        dataset = plan.data_of(run.config)
        features, outputs = sizes(dataset)
        shape = shape if block is not None else described(dataset).shape or (features,)
    random = torch.Generator().manual_seed(0)
    inputs: Tensor = torch.randn(_SAMPLES, *shape, generator=random)
    if block is not None:
        inputs = torch.randint(outputs, (_SAMPLES, int(block)), generator=random)

    def make(width: int) -> nn.Module:
        return build(replace(size, width=width), features, outputs)

    def layout(width: int) -> Layout:
        return layout_of(replace(size, width=width))

    widths = tuple(_constants(model).get("widths", WIDTHS))
    narrow = layout(widths[0])
    branches = narrow.branches or read_layouts(make(widths[0]), narrow.modules).branches
    deep = mentions_branch_exponent(rules(rule, column).values())
    constants = Constants(**run.config.parameterization.constants) if run else Constants()
    return {
        "make_model": make,
        "widths": widths,
        "inputs": inputs,
        "layout": layout,
        "base_depth": constants.base_depth if branches else None,
        "branch_exponent": constants.branch_exponent if deep else None,
        "gamma0": constants.gamma0,
    }


def _of_width(place: str) -> Callable[[int], nn.Module]:
    """Return what makes a network of a width, whether that is told by place or by name."""
    make: Callable[..., nn.Module] = function(place)
    with suppress(TypeError):
        signature(make).bind(WIDTHS[0])
        return make
    with suppress(TypeError):
        signature(make).bind(width=WIDTHS[0])
        return lambda width: make(width=width)
    raise ValueError(
        f"{place} is not made of a width alone. Write a function that is, as in "
        "`def make(width): return Net(width=width, depth=2)`."
    )


def _size(model: str, run: Run | None) -> ModelConfig:
    """Return a family's size: the study's, but for what `COORDINATE_CHECK` says in its file."""
    declared, told = catalog.options("models", model), _constants(model)
    given = run.config.model.options if run else {}
    given = {**given, **told.get("options", {})}
    options = {}
    for name, option in declared.items():
        if name in GRID_OPTIONS:
            continue
        if option.required and name not in given:
            raise ValueError(
                f"{model!r} has no default for {name}. Name the model in params.yaml with its "
                'options, or write COORDINATE_CHECK = {"options": {…}} in its file.'
            )
        options[name] = given.get(name, option.default)
    depth = declared["depth"].default if "depth" in declared else None
    own = run.depth if run else depth if isinstance(depth, int) else 2
    return ModelConfig(family=model, options=options, width=1, depth=told.get("depth") or own)


def _constants(model: str) -> dict[str, Any]:
    try:
        return dict(catalog.constant("models", model, "COORDINATE_CHECK"))
    except LookupError:
        return {}
