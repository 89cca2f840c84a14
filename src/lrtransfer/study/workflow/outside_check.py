"""Coordinate check and curvature of a model by name: the study's own, or any function's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.coordinates.coordinate_check import coordinate_check
from lrtransfer.scaling.layout import Layout
from lrtransfer.study.data.described import sizes
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.exponents import ParameterizationSpec
from lrtransfer.study.plan.messages import unknown
from lrtransfer.study.plan.parameterizations import family
from lrtransfer.study.plan.run_config import ModelConfig
from lrtransfer.study.spectra.problem import Problem, of_run
from lrtransfer.study.spectra.saved_model import function
from lrtransfer.study.training.network import build, run_network
from lrtransfer.study.training.outside import layout_of
from lrtransfer.study.workflow.coordinate_matrix import FEATURES, OUTPUTS, column_rules

WIDTHS = (32, 64, 128, 256)
_SAMPLES = 8


def is_outside(model: str) -> bool:
    """Return whether a name is of a model that tells no roles, or `module:function`."""
    return ":" in model or (model in catalog.names("models") and not catalog.tells_roles(model))


def check_outside(
    models: Sequence[str],
    parameterizations: Sequence[str],
    optimizers: Sequence[str],
    specs: Mapping[str, ParameterizationSpec],
) -> None:
    """Check the coordinates of models that tell no roles, and print a table for each.

    Args:
        models: Names of families, or `module:function` of a width.
        parameterizations: Names in `specs`; none stands for `mup`.
        optimizers: Names as of `lrtransfer.coordinate_check`; none stands for `adamw`.
        specs: Parameterizations by name.

    Raises:
        ValueError: A name is unknown, or a model does not fit.
    """
    chosen = product(models, parameterizations or ["mup"], optimizers or ["adamw"])
    for model, name, optimizer in chosen:
        if name not in specs:
            raise ValueError(unknown("parameterization", name, specs))
        column: Any = family(optimizer)
        if column not in specs[name].families:
            raise ValueError(f"{name} has no rules for {optimizer}. Give another optimizer.")
        rule = {"families": {column: column_rules(specs[name], column)}}
        make, told = function(model) if ":" in model else _of_family(model), _told(model)
        widths = told.pop("widths", WIDTHS)
        found = coordinate_check(make, widths=widths, rule=rule, optimizer=optimizer, **told)
        print(f"{model} × {name} × {optimizer}", found, sep="\n", flush=True)


def at_start(plan: Plan, model: str, samples: int | None) -> Problem:
    """Return the smallest network of a family that a study trains, with its initial weights.

    Args:
        plan: What the study asks for.
        model: The family.
        samples: Of its data set, as `of_run`; None takes as many as the run measures.

    Raises:
        ValueError: No run of the study has this model, or `samples` is missing.
        FileNotFoundError: Its data are not prepared.
    """
    runs = [run for run in plan.runs if run.config.model.family == model]
    if not runs:
        known = {run.config.model.family for run in plan.runs}
        raise ValueError(unknown("model of this study", model, known))
    run = min(runs, key=lambda one: (not one.measured, one.width, one.depth))
    config = run.config
    count = samples or (config.measure.samples if config.measure else config.batch_size)
    network = run_network(config, *sizes(plan.data_of(config)), torch.device("cpu"))
    weights = network.model.state_dict()
    return of_run(config, weights, load_arrays(config.data), count, torch.device("cpu"))


def _of_family(model: str) -> Callable[[int], nn.Module]:
    return partial(_made, model)


def _made(model: str, width: int) -> nn.Module:
    return build(_size(model, width), FEATURES, OUTPUTS)


def _size(model: str, width: int) -> ModelConfig:
    declared = catalog.options("models", model)
    options = {k: o.default for k, o in declared.items() if k not in GRID_OPTIONS}
    depth = declared["depth"].default if "depth" in declared else None
    told = _constants(model)
    return ModelConfig(
        family=model,
        options=options | told.get("options", {}),
        width=width,
        depth=told.get("depth") or (depth if isinstance(depth, int) else 2),
    )


def _constants(model: str) -> dict[str, Any]:
    try:
        return dict(catalog.constant("models", model, "COORDINATE_CHECK"))
    except LookupError:
        return {}


def _told(model: str) -> dict[str, Any]:
    """Return what is known of a family's widths, inputs and layout."""
    if ":" in model:
        return {}
    random = torch.Generator().manual_seed(0)
    block = _size(model, 1).options.get("block_size")
    inputs: Tensor = torch.randn(_SAMPLES, FEATURES, generator=random)
    if block is not None:
        inputs = torch.randint(OUTPUTS, (_SAMPLES, int(block)), generator=random)

    def layout(width: int) -> Layout:
        return layout_of(_size(model, width))

    widths = _constants(model).get("widths")
    return {"inputs": inputs, "layout": layout} | ({"widths": widths} if widths else {})
