"""Rules that need more than one field of params.yaml, each with the remedy in its message."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from lrtransfer.study.plan import catalog, places, sizes
from lrtransfer.study.plan.arm_checks import arm_names, arms, per_arm
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.members import known_name, listed, member
from lrtransfer.study.plan.messages import unknown
from lrtransfer.study.plan.parameterizations import builtin, known
from lrtransfer.study.plan.schema import (
    Experiment,
    Grid,
    Measure,
    ModelSpec,
    Spectra,
    Study,
    of_arm,
)
from lrtransfer.study.plan.updates import ways_to_update

# Columns of a run's log and of the tables made of it that no probe may write.
_LOGGED = frozenset(
    {"step", "loss", "learning_rate", "rate", "update_cosine", "step_sharpness"}
    | {"gradient_evaluations", "key", "arm", "size", "seed"}
)
_RESERVED = ("all", "core")  # they select experiments, and end the names of Snakemake's own rules


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
        yield from member("data", spec.source, spec.options, f"data.{name}", "source")
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
    yield from known_name(f"{path}.dataset", "data set", experiment.dataset, study.data)
    yield from _model(f"{path}.model", experiment.model)
    yield from listed("losses", experiment.loss, f"{path}.loss")
    for figure in experiment.figures:
        yield from _figure(f"{path}.figures", figure)
    yield from arms(path, experiment, known(study.parameterizations))
    if not experiment.scales:
        yield f"{path}.scales: names no scale. Add smoke, laptop, gpu or paper."
    for scale, grid in experiment.scales.items():
        yield from _grid(f"{path}.scales.{scale}", experiment, grid, study)


def _figure(path: str, name: str) -> Iterator[str]:
    yield from listed("figures", name, path)
    if name in catalog.names("figures") and (wrong := catalog.misshapen("figures", name, 2)):
        yield f"{path}: {wrong}. Let FIGURE be a function (tables, settings) -> Drawing."


def _model(path: str, model: ModelSpec) -> Iterator[str]:
    yield from member("models", model.family, model.options, path, "family")
    for option in sorted(GRID_OPTIONS & set(model.options)):
        yield f"{path}.options.{option}: set by the grid. Remove it here."


def _grid(path: str, experiment: Experiment, grid: Grid, study: Study) -> Iterator[str]:
    if grid.dataset is not None:
        yield from known_name(f"{path}.dataset", "data set", grid.dataset, study.data)
    if grid.model is not None:
        yield from _model(f"{path}.model", grid.model)
    yield from _untaken(path, (grid.model or experiment.model).family, grid)
    rates = f"{path}.learning_rates"
    yield from arm_names(rates, grid.learning_rates, experiment, "learning rates")
    unfit = list(per_arm(path, experiment, grid))
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
        yield from listed("probes", name, path)
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
