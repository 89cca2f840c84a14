"""Rules that need more than one field of params.yaml, each with the remedy in its message."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from lrtransfer.study import catalog
from lrtransfer.study.messages import closest, shown
from lrtransfer.study.parameterizations import OPTIMIZER_FAMILIES
from lrtransfer.study.schema import (
    Experiment,
    Grid,
    NamedSpec,
    Options,
    ParameterizationSpec,
    Study,
)

# Filled in from the data set and the grid, so not for an experiment to set.
GRID_OPTIONS = frozenset({"in_features", "out_features", "width", "depth"})

_MEMBERS = {
    "models": "model family",
    "data": "data source",
    "optim": "optimizer",
    "optim/schedules": "schedule",
}


def problems(study: Study, known: Mapping[str, ParameterizationSpec]) -> Iterator[str]:
    """Yield one line per violated rule; ``known`` are all parameterizations by name."""
    for name, spec in study.data.items():
        yield from _member("data", spec.source, spec.options, f"data.{name}", "source")
    for name, experiment in study.study.items():
        yield from _experiment(f"study.{name}", experiment, study, known)
    yield from _selection(study)


def _selection(study: Study) -> Iterator[str]:
    if isinstance(study.experiments, list):
        if not study.experiments:
            yield "experiments: names no experiment. Give core, all or names from `study`."
        for name in study.experiments:
            if name not in study.study:
                yield f"experiments: unknown experiment {name!r}. {closest(name, study.study)}"
    for name in selected(study):
        scales = study.study[name].scales
        if scales and study.scale not in scales:
            yield (
                f"study.{name}.scales.{study.scale}: missing, but `scale` asks for it. "
                "Add this scale or choose another."
            )


def selected(study: Study) -> list[str]:
    """Return the names of the experiments that the study asks for, in the file's order."""
    if study.experiments == "all":
        return list(study.study)
    if study.experiments == "core":
        return [name for name, e in study.study.items() if e.group == "core"]
    return [name for name in study.study if name in study.experiments]


def _experiment(
    path: str, experiment: Experiment, study: Study, known: Mapping[str, ParameterizationSpec]
) -> Iterator[str]:
    yield from _known(f"{path}.dataset", "data set", experiment.dataset, study.data)
    model = experiment.model
    yield from _member("models", model.family, model.options, f"{path}.model", "family")
    for option in sorted(GRID_OPTIONS & set(model.options)):
        yield f"{path}.model.options.{option}: set by the grid. Remove it here."
    yield from _named("optim", experiment.optimizer, f"{path}.optimizer")
    yield from _named("optim/schedules", experiment.schedule, f"{path}.schedule")
    yield from _known(f"{path}.loss", "loss", experiment.loss, catalog.names("training/losses"))
    for figure in experiment.figures:
        yield from _known(f"{path}.figures", "figure", figure, catalog.names("figures"))
    yield from _arms(path, experiment, known)
    if not experiment.scales:
        yield f"{path}.scales: names no scale. Add smoke, laptop or paper."
    for scale, grid in experiment.scales.items():
        yield from _grid(f"{path}.scales.{scale}", experiment, grid, study)


def _arms(
    path: str, experiment: Experiment, known: Mapping[str, ParameterizationSpec]
) -> Iterator[str]:
    family = OPTIMIZER_FAMILIES.get(experiment.optimizer.name)
    seen: dict[str, str] = {}
    for name, arm in experiment.arms.items():
        rule = known.get(arm.parameterization)
        where = f"{path}.arms.{name}.parameterization"
        yield from _known(where, "parameterization", arm.parameterization, known)
        if rule is not None and family is not None and family not in rule.families:
            yield (
                f"{where}: {arm.parameterization!r} has no rules for the {family} family of "
                f"optimizer {experiment.optimizer.name!r}. Add families.{family} to it."
            )
        settings = arm.model_dump_json(exclude={"label", "reference_learning_rate"})
        if settings in seen:
            yield f"{path}.arms.{name}: the same setting as arm {seen[settings]!r}. Remove one."
        seen.setdefault(settings, name)


def _grid(path: str, experiment: Experiment, grid: Grid, study: Study) -> Iterator[str]:
    if grid.dataset is not None:
        yield from _known(f"{path}.dataset", "data set", grid.dataset, study.data)
    yield from _learning_rates(f"{path}.learning_rates", experiment, grid)
    for probe in grid.measure.probes:
        yield from _known(f"{path}.measure.probes", "probe", probe, catalog.names("probes"))
    if grid.loss_window > grid.steps:
        yield f"{path}.loss_window: longer than the run ({grid.steps} steps). Shorten it."
    for step in grid.spectra.steps:
        if step > grid.steps:
            yield f"{path}.spectra.steps: step {step} is past the run's {grid.steps}. Remove it."
    for seed in grid.spectra.seeds:
        if seed not in grid.seeds:
            yield f"{path}.spectra.seeds: seed {seed} is not among the seeds. Remove or add it."


def _learning_rates(path: str, experiment: Experiment, grid: Grid) -> Iterator[str]:
    missing = [name for name in experiment.arms if name not in grid.learning_rates]
    for name in sorted(set(grid.learning_rates) - set(experiment.arms)):
        yield f"{path}.{name}: no arm has this name. {closest(name, missing or experiment.arms)}"
        # A misspelt arm is one fault, not a stray name and a missing one.
        missing = [arm for arm in missing if arm not in difflib.get_close_matches(name, missing, 1)]
    for name in missing:
        yield f"{path}.{name}: missing. Add the learning rates of this arm."
    for name, rates in grid.learning_rates.items():
        arm = experiment.arms.get(name)
        if arm is not None and arm.reference_learning_rate not in rates:
            yield (
                f"{path}.{name}: lacks the arm's reference_learning_rate "
                f"{arm.reference_learning_rate}. Add it, or take one of the axis."
            )


def _named(room: str, spec: NamedSpec, path: str) -> Iterator[str]:
    yield from _member(room, spec.name, spec.options, path, "name")


def _member(room: str, name: str, options: Options, path: str, field: str) -> Iterator[str]:
    members = catalog.names(room)
    if name not in members:
        yield f"{path}.{field}: unknown {_MEMBERS[room]} {name!r}. {closest(name, members)}"
        return
    known = catalog.options(room, name)
    for option, value in options.items():
        if option not in known:
            yield (
                f"{path}.options.{option}: {name!r} has no such option. "
                f"{closest(option, set(known) - GRID_OPTIONS)}"
            )
        elif (expected := catalog.mismatch(known[option].annotation, value)) is not None:
            yield f"{path}.options.{option}: {shown(value)} does not fit. Give {expected}."
    for option, declared in known.items():
        if declared.required and option not in options and option not in GRID_OPTIONS:
            yield f"{path}.options.{option}: missing. Give a value ({declared.annotation})."


def _known(path: str, what: str, name: str, known: Collection[str]) -> Iterator[str]:
    if name not in known:
        yield f"{path}: unknown {what} {name!r}. {closest(name, known)}"
