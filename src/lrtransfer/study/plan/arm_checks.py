"""Rules for the arms of an experiment."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from lrtransfer.scaling.held_width import twice
from lrtransfer.scaling.horizon import KNOWN
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.exponents import ParameterizationSpec, TensorRule
from lrtransfer.study.plan.members import known_name, misfit, named
from lrtransfer.study.plan.messages import closest, unfit
from lrtransfer.study.plan.parameterizations import family
from lrtransfer.study.plan.schema import Arm, Experiment, Grid, NamedSpec


def arms(
    path: str, experiment: Experiment, rules: Mapping[str, ParameterizationSpec]
) -> Iterator[str]:
    """Check every arm, and that no two are one setting or have one label."""
    seen: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name, arm in experiment.arms.items():
        yield from _arm(f"{path}.arms.{name}", experiment, arm, rules)
        if labels.setdefault(arm.label, name) != name:
            yield (
                f"{path}.arms.{name}.label: {arm.label!r} is the label of arm "
                f"{labels[arm.label]!r}, too. Choose another, by which figures tell them apart."
            )
        settings = _settings(experiment, name)
        if settings in seen:
            yield f"{path}.arms.{name}: the same setting as arm {seen[settings]!r}. Remove one."
        seen.setdefault(settings, name)


def _arm(
    path: str, experiment: Experiment, arm: Arm, rules: Mapping[str, ParameterizationSpec]
) -> Iterator[str]:
    where = f"{path}.parameterization"
    yield from known_name(where, "parameterization", arm.parameterization, rules)
    yield from named("optim", arm.optimizer, f"{path}.optimizer")
    yield from named("optim/schedules", arm.schedule, f"{path}.schedule")
    if arm.tuner is not None:
        yield from named("optim/tuners", arm.tuner, f"{path}.tuner")
    if arm.replay is not None:
        yield from _replay(f"{path}.replay", arm, arm.replay)
    rule, optimizer = rules.get(arm.parameterization), arm.optimizer.name
    if rule is not None and optimizer in catalog.names("optim"):
        column = family(optimizer)
        if column not in rule.families:
            yield (
                f"{where}: {arm.parameterization!r} has no rules for the {column} family of "
                f"optimizer {optimizer!r}. Add families.{column} to it."
            )
        elif wrong := twice(_plain(rule.families[column]), column):
            yield f"{where}: {wrong}"
        silent = [model for model in _models(experiment) if not catalog.tells_roles(model)]
        if silent and column not in ("sgd", "adam"):
            yield (
                f"{path}.optimizer: {optimizer!r} steps matrices and the rest otherwise, and "
                f"{silent[0]!r} does not tell which is which. Choose another optimizer, or give "
                "the model ROLES and a method `roles`, as in study/models/gpt.py."
            )
    yield from _decay(path, experiment, arm)
    yield from _horizon(path, arm)
    declared = [catalog.options("models", model) for model in _models(experiment)]
    for option, value in arm.model_options.items():
        place = f"{path}.model_options.{option}"
        if option in GRID_OPTIONS:
            yield f"{place}: set by the grid. Remove it here."
        elif any(option not in options for options in declared):
            every = set().union(*declared) - GRID_OPTIONS
            yield f"{place}: no such option of every model. {closest(option, every)}"
        else:
            wanted = [misfit("models", options[option].annotation, value) for options in declared]
            if (expected := next(filter(None, wanted), None)) is not None:
                yield f"{place}: {unfit(value, expected)}"


def _replay(path: str, arm: Arm, other: NamedSpec) -> Iterator[str]:
    """Check the optimizer whose effective rates an arm is forced to."""
    yield from named("optim", other, path)
    if arm.tuner is not None:
        yield f"{path}: a tuner chooses the arm's own rates. Remove one of the two."
    names = (arm.optimizer.name, other.name)
    if set(names) <= set(catalog.names("optim")) and len(set(map(family, names))) > 1:
        yield (
            f"{path}: {other.name!r} is of another family than {arm.optimizer.name!r}, whose rates "
            "scale otherwise. Choose one of the same."
        )


def _plain(roles: Mapping[str, TensorRule]) -> dict[str, Any]:
    return {role: rule.model_dump(exclude_defaults=True) for role, rule in roles.items()}


def _models(experiment: Experiment) -> list[str]:
    """Return the known families of all scales: an arm is the same at each, and has to fit each."""
    models = [experiment.model, *(g.model for g in experiment.scales.values() if g.model)]
    return [model.family for model in models if model.family in catalog.names("models")]


def _decay(path: str, experiment: Experiment, arm: Arm) -> Iterator[str]:
    """Check the weight-decay rule of an arm, and the warm-up that goes with it."""
    rule, optimizer = arm.decay, arm.optimizer
    if arm.group_warmup is not None and (rule is None or not rule.unscaled):
        yield (
            f"{path}.group_warmup: warms up unscaled learning rates, and there are none. Name "
            "roles in decay.unscaled, or remove it."
        )
    if rule is None:
        return
    if optimizer.name != "adamw":
        yield f"{path}.decay: defined for adamw, not for {optimizer.name!r}. Choose adamw."
    elif rule.rule != "none" and not optimizer.options.get("weight_decay"):
        yield f"{path}.decay: there is no decay. Set weight_decay, or choose the rule none."
    if (rule.power is None) == (rule.rule == "power"):
        remedy = "Remove it." if rule.power is not None else "Give a number, 0.5 for example."
        yield f"{path}.decay.power: goes with the rule power alone. {remedy}"
    silent = [model for model in _models(experiment) if not catalog.tells_roles(model)]
    if silent:
        yield (
            f"{path}.decay: needs the roles of all tensors, which {silent[0]!r} does not tell. "
            "Remove it, or give the model ROLES and a method `roles`, as in study/models/gpt.py."
        )
        return
    roles = [set(catalog.constant("models", model, "ROLES")) for model in _models(experiment)]
    for field in ("unscaled", "faster", "undecayed"):
        for role in getattr(rule, field) if roles else []:
            yield from known_name(f"{path}.decay.{field}", "role", role, set.intersection(*roles))
    for role in sorted(set(rule.unscaled) & set(rule.faster)):
        yield f"{path}.decay.faster: {role!r} is unscaled too. Choose one."


def _horizon(path: str, arm: Arm) -> Iterator[str]:
    """Check that a rule of batch and duration has a source for the arm's optimizer."""
    rule, optimizer = arm.horizon, arm.optimizer
    if rule is None:
        return
    if optimizer.name not in KNOWN[rule.rule]:
        yield (
            f"{path}.horizon.rule: no source tells {rule.rule} for {optimizer.name!r}. Choose one "
            f"of {', '.join(sorted(KNOWN[rule.rule]))}, or another rule."
        )
    elif rule.rule == "hyper_p" and optimizer.options.get("weight_decay"):
        yield f"{path}.horizon.rule: hyper_p is without decay. Remove weight_decay."


def _settings(experiment: Experiment, name: str) -> str:
    """Return all that tells one arm from another, by what it does and not by what it is called."""
    arm = experiment.arms[name].model_dump_json(exclude={"label"})
    own = [
        (scale, value.get(name) if isinstance(value, dict) else None)
        for scale, grid in experiment.scales.items()
        for value in (grid.steps, grid.batch_size, grid.train_samples, grid.augmentation)
    ]
    return f"{arm}{own}"


def per_arm(path: str, experiment: Experiment, grid: Grid) -> Iterator[str]:
    """Check that what is given by arm is given for every arm."""
    for field in ("steps", "batch_size", "loss_window", "train_samples", "weight_decay"):
        value = getattr(grid, field)
        if isinstance(value, dict):
            yield from arm_names(f"{path}.{field}", value, experiment, "number")


def arm_names(
    path: str, given: Collection[str], experiment: Experiment, what: str
) -> Iterator[str]:
    """Check that the names in `given` are those of the arms."""
    missing = [name for name in experiment.arms if name not in given]
    for name in sorted(set(given) - set(experiment.arms)):
        yield f"{path}.{name}: no arm has this name. {closest(name, missing or experiment.arms)}"
        # A misspelt arm is one fault, not a stray name and a missing one.
        missing = [arm for arm in missing if arm not in difflib.get_close_matches(name, missing, 1)]
    for name in missing:
        yield f"{path}.{name}: missing. Add the {what} of this arm."
