"""Rules that need more than one field of params.yaml, each with the remedy in its message."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from lrtransfer.scaling.held_width import twice
from lrtransfer.scaling.horizon import KNOWN
from lrtransfer.study.plan import catalog, places, sizes
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.exponents import ParameterizationSpec, TensorRule
from lrtransfer.study.plan.messages import closest, unfit, unknown
from lrtransfer.study.plan.parameterizations import builtin, family, known
from lrtransfer.study.plan.schema import (
    Arm,
    Experiment,
    Grid,
    Measure,
    ModelSpec,
    NamedSpec,
    Spectra,
    Study,
    of_arm,
)
from lrtransfer.study.plan.updates import ways_to_update
from lrtransfer.study.plan.values import Options

# Columns of a run's log and of the tables made of it that no probe may write.
_LOGGED = frozenset(
    {"step", "loss", "learning_rate", "rate", "update_cosine", "step_sharpness"}
    | {"gradient_evaluations", "key", "arm", "size", "seed"}
)
_RESERVED = ("all", "core")  # they select experiments, and end the names of Snakemake's own rules
_LARGEST = 10**6  # of a whole number among a model's options


def problems(study: Study) -> Iterator[str]:
    """Yield one line per violated rule."""
    for name in sorted(study.parameterizations.keys() & builtin().keys()):
        yield (
            f"parameterizations.{name}: a built-in parameterization has this name. Choose another."
        )
    for section in ("data", "study"):
        for name in _RESERVED:
            if name in getattr(study, section):
                yield f"{section}.{name}: a word with a meaning of its own. Choose another name."
    for name, spec in study.data.items():
        yield from _member("data", spec.source, spec.options, f"data.{name}", "source")
    for name, experiment in study.study.items():
        yield from _experiment(f"study.{name}", experiment, study)
    yield from _selection(study)
    yield from sizes.too_many(study, selected(study))


def _selection(study: Study) -> Iterator[str]:
    if isinstance(study.experiments, list):
        if not study.experiments:
            yield "experiments: names no experiment. Give core, all or names from `study`."
        for name in study.experiments:
            if name not in study.study:
                yield f"experiments: {unknown('experiment', name, study.study)}"
    elif not selected(study):
        yield (
            f"experiments: {study.experiments} has none with the scale {study.scale!r}. Choose "
            "another scale, or name an experiment."
        )
    for name in study.experiments if isinstance(study.experiments, list) else []:
        scales = study.study[name].scales if name in study.study else {}
        if scales and study.scale not in scales:
            yield (
                f"study.{name}.scales.{study.scale}: missing, but `scale` asks for it. "
                "Add this scale or choose another."
            )


def selected(study: Study) -> list[str]:
    """Return the names of the experiments that the study asks for, in the file's order.

    `core` and `all` mean those that have the study's scale.
    """
    if isinstance(study.experiments, list):
        return [name for name in study.study if name in study.experiments]
    here = {name: own for name, own in study.study.items() if study.scale in own.scales}
    return [n for n, own in here.items() if study.experiments == "all" or own.group == "core"]


def _experiment(path: str, experiment: Experiment, study: Study) -> Iterator[str]:
    yield from _known(f"{path}.dataset", "data set", experiment.dataset, study.data)
    yield from _model(f"{path}.model", experiment.model)
    yield from _listed("losses", experiment.loss, f"{path}.loss")
    for figure in experiment.figures:
        yield from _figure(f"{path}.figures", figure)
    yield from _arms(path, experiment, known(study.parameterizations))
    if not experiment.scales:
        yield f"{path}.scales: names no scale. Add smoke, laptop, gpu or paper."
    for scale, grid in experiment.scales.items():
        yield from _grid(f"{path}.scales.{scale}", experiment, grid, study)


def _figure(path: str, name: str) -> Iterator[str]:
    yield from _listed("figures", name, path)
    if name in catalog.names("figures") and (wrong := catalog.misshapen("figures", name, 2)):
        yield f"{path}: {wrong}. Let FIGURE be a function (tables, settings) -> Drawing."


def _model(path: str, model: ModelSpec) -> Iterator[str]:
    yield from _member("models", model.family, model.options, path, "family")
    for option in sorted(GRID_OPTIONS & set(model.options)):
        yield f"{path}.options.{option}: set by the grid. Remove it here."


def _arms(
    path: str, experiment: Experiment, rules: Mapping[str, ParameterizationSpec]
) -> Iterator[str]:
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
    yield from _known(where, "parameterization", arm.parameterization, rules)
    yield from _named("optim", arm.optimizer, f"{path}.optimizer")
    yield from _named("optim/schedules", arm.schedule, f"{path}.schedule")
    if arm.tuner is not None:
        yield from _named("optim/tuners", arm.tuner, f"{path}.tuner")
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
            wanted = [_misfit("models", options[option].annotation, value) for options in declared]
            if (expected := next(filter(None, wanted), None)) is not None:
                yield f"{place}: {unfit(value, expected)}"


def _replay(path: str, arm: Arm, other: NamedSpec) -> Iterator[str]:
    """Check the optimizer whose effective rates an arm is forced to."""
    yield from _named("optim", other, path)
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
            yield from _known(f"{path}.decay.{field}", "role", role, set.intersection(*roles))
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


def _grid(path: str, experiment: Experiment, grid: Grid, study: Study) -> Iterator[str]:
    if grid.dataset is not None:
        yield from _known(f"{path}.dataset", "data set", grid.dataset, study.data)
    if grid.model is not None:
        yield from _model(f"{path}.model", grid.model)
    yield from _untaken(path, (grid.model or experiment.model).family, grid)
    rates = f"{path}.learning_rates"
    yield from _arm_names(rates, grid.learning_rates, experiment, "learning rates")
    unfit = list(_per_arm(path, experiment, grid))
    yield from unfit
    if grid.weight_decay is not None:
        yield from _decays(path, experiment)
    steps = {} if unfit else {arm: of_arm(grid.steps, arm) for arm in experiment.arms}
    for arm, count in steps.items():
        if of_arm(grid.loss_window, arm) > count:
            yield f"{path}.loss_window: longer than the run ({count} steps). Shorten it."
            break
    if grid.measure is not None and not unfit:
        yield from _measured(path, grid, grid.measure)
    yield from ways_to_update(path, experiment, grid)
    yield from [] if unfit else sizes.faults(path, experiment, grid)
    if grid.spectra is not None:
        yield from _spectra(
            f"{path}.spectra", grid, grid.spectra, min(steps.values(), default=None)
        )


def _untaken(path: str, model: str, grid: Grid) -> Iterator[str]:
    """Refuse an axis of nets that the model does not take: all of its sizes were one net."""
    taken = catalog.options("models", model) if model in catalog.names("models") else GRID_OPTIONS
    for size in ("width", "depth"):
        if len(getattr(grid, f"{size}s")) > 1 and size not in taken:
            file = places.shown(catalog.source_file("models", model))
            yield (
                f"{path}.{size}s: MODEL in {file} takes no {size}, so nets of each were the same. "
                f"Give it a parameter `{size}`, or name one {size}."
            )


def _spectra(path: str, grid: Grid, spectra: Spectra, shortest: int | None) -> Iterator[str]:
    if grid.train_samples is not None:
        yield f"{path}: computed on the whole training set. Remove train_samples."
    if grid.measure is None:
        yield f"{path}: nothing is measured at this scale. Add `measure` or remove it."
    for step in spectra.steps:
        if shortest is not None and step > shortest:
            yield f"{path}.steps: step {step} is past the run's {shortest}. Remove it."
    for seed in spectra.seeds:
        if seed not in grid.seeds:
            yield f"{path}.seeds: seed {seed} is not among the seeds. Remove or add it."


def _decays(path: str, experiment: Experiment) -> Iterator[str]:
    """Check that every optimizer has the weight decay that a grid gives."""
    for optimizer in {arm.optimizer.name for arm in experiment.arms.values()}:
        exists = optimizer in catalog.names("optim")
        if exists and "weight_decay" not in catalog.options("optim", optimizer):
            yield f"{path}.weight_decay: {optimizer!r} has no such option. Remove it."


def _per_arm(path: str, experiment: Experiment, grid: Grid) -> Iterator[str]:
    """Check that what is given by arm is given for every arm."""
    for field in ("steps", "batch_size", "loss_window", "train_samples", "weight_decay"):
        value = getattr(grid, field)
        if isinstance(value, dict):
            yield from _arm_names(f"{path}.{field}", value, experiment, "number")


def _arm_names(
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


def _measured(path: str, grid: Grid, measure: Measure) -> Iterator[str]:
    if (measure.points is None) != (measure.spacing is None):
        yield f"{path}.measure: points and spacing go together. Give both, or neither for a share."
    elif measure.points is not None and measure.share is not None:
        yield f"{path}.measure: points fix the steps, so share has no effect. Give one of them."
    yield from _probes(f"{path}.measure.probes", measure.probes)
    for name, reference in grid.reference_learning_rate.items():
        if reference not in grid.learning_rates.get(name, [reference]):
            yield (
                f"{path}.learning_rates.{name}: lacks the rate {reference}, where the arm is "
                "measured. Add it, or take one of the axis."
            )
    if not grid.reference_learning_rate:
        yield (
            f"{path}.measure: no arm says where it is measured. Give an arm `measured_at`, or "
            "remove `measure`."
        )


def _probes(path: str, names: Collection[str]) -> Iterator[str]:
    """Check that each probe tells its price and columns, and that no column is another's."""
    owners = dict.fromkeys(_LOGGED, "which the tables have already")
    for name in names:
        yield from _listed("probes", name, path)
        if name not in catalog.names("probes"):
            continue
        file = places.shown(catalog.source_file("probes", name))
        try:
            price, columns = (catalog.constant("probes", name, c) for c in ("PRICE", "COLUMNS"))
        except (LookupError, ValueError):
            price, columns = None, None
        if not isinstance(price, int | float) or not isinstance(columns, Mapping):
            yield (
                f"{path}: {file} does not tell price and columns as plain values. Write them as in "
                'PRICE = 1.0 and COLUMNS = {"my_quantity": ()}.'
            )
            continue
        for column in columns:
            if column in owners:
                yield f"{path}: {file} has the column {column!r}, {owners[column]}. Rename it."
            owners[column] = f"which is one of the probe {name!r}, too"


def _named(room: str, spec: NamedSpec, path: str) -> Iterator[str]:
    yield from _member(room, spec.name, spec.options, path, "name")


def _member(room: str, name: str, options: Options, path: str, field: str) -> Iterator[str]:
    if name not in catalog.names(room):
        yield from _listed(room, name, f"{path}.{field}")
        return
    known = catalog.options(room, name)
    for option, value in options.items():
        if option not in known:
            yield (
                f"{path}.options.{option}: {name!r} has no such option. "
                f"{closest(option, set(known) - GRID_OPTIONS)}"
            )
        elif (expected := _misfit(room, known[option].annotation, value)) is not None:
            yield f"{path}.options.{option}: {unfit(value, expected)}"
    for option, declared in known.items():
        if declared.required and option not in options and option not in GRID_OPTIONS:
            yield f"{path}.options.{option}: missing. Give a value ({declared.annotation})."


def _misfit(room: str, annotation: str, value: object) -> str | None:
    """Return what an option's value should have been, or None; models have bounds."""
    if room == "models" and annotation == "int" and isinstance(value, int) and value > _LARGEST:
        return f"a whole number of at most {_LARGEST:,}"
    return catalog.mismatch(annotation, value)


def _listed(room: str, name: str, path: str) -> Iterator[str]:
    yield from _known(path, catalog.ROOMS[room].called, name, catalog.names(room))


def _known(path: str, what: str, name: str, known: Collection[str]) -> Iterator[str]:
    if name not in known:
        yield f"{path}: {unknown(what, name, known)}"
