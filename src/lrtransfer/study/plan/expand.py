"""A study -> its experiments, sweeps and runs: one pure function of params.yaml and the code.

The Snakefile, the command line, the tests and the figures all call :func:`plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from lrtransfer.study.plan import catalog, fingerprint
from lrtransfer.study.plan.checks import GRID_OPTIONS, selected
from lrtransfer.study.plan.measurement import measurement_steps
from lrtransfer.study.plan.parameterizations import family, known
from lrtransfer.study.plan.schema import (
    Arm,
    DataSpec,
    Experiment,
    Grid,
    Measure,
    Spectra,
    Study,
    of_arm,
    reference_rate,
)

SCHEMA = 1
KEY_LENGTH = 16
# Of the price of training, for measuring where an experiment names no steps.
DEFAULT_SHARE = 0.15
_PLACES = frozenset({"url", "path"})


@dataclass(frozen=True)
class Dataset:
    """One prepared data set: ``id`` covers source, checksum, options and preparation code."""

    name: str
    id: str
    spec: DataSpec


@dataclass(frozen=True)
class Run:
    """One training trajectory as one experiment asks for it.

    Attributes:
        key: Hash of ``config`` and ``code``: all that can change the result.
        config: The resolved configuration.
        code: File of the package -> hash of its meaning, for the code that trains this run.
        checkpoints: Steps whose weights are kept, for any experiment that shares the run.
        measured: Whether curvature is logged: true at the arm's reference learning rate.
    """

    key: str
    experiment: str
    arm: str
    width: int
    depth: int
    learning_rate: float
    seed: int
    measured: bool
    checkpoints: tuple[int, ...]
    config: dict[str, Any]
    code: dict[str, str]


@dataclass(frozen=True)
class Spectrum:
    """The curvature spectrum of one run at one checkpoint; ``key`` covers its config and code."""

    key: str
    run: Run
    step: int
    config: dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """The runs of one arm at one width and depth: one training job."""

    name: str
    runs: tuple[Run, ...]
    spectra: tuple[Spectrum, ...]


@dataclass(frozen=True)
class Plan:
    """All that a study asks for. A run that two experiments share is trained once."""

    study: Study
    datasets: tuple[Dataset, ...]
    sweeps: tuple[Sweep, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run of every sweep; shared runs appear once per experiment."""
        return tuple(run for sweep in self.sweeps for run in sweep.runs)

    @property
    def spectra(self) -> tuple[Spectrum, ...]:
        """Every spectrum of every sweep."""
        return tuple(s for sweep in self.sweeps for s in sweep.spectra)

    @property
    def experiments(self) -> tuple[str, ...]:
        """Names of the selected experiments, in the file's order."""
        return tuple(selected(self.study))

    def part(self, experiment: str) -> Plan:
        """Return what one experiment asks for, in the same study."""
        own = tuple(s for s in self.sweeps if s.name.startswith(f"{experiment}/"))
        return replace(self, sweeps=own)

    def grid(self, experiment: str) -> Grid:
        """Return the grid of an experiment at the study's scale."""
        return self.study.study[experiment].scales[self.study.scale]


def plan(study: Study) -> Plan:
    """Expand a study into its data sets, sweeps and runs."""
    used = _used_datasets(study)
    datasets = tuple(_dataset(name, spec) for name, spec in study.data.items() if name in used)
    by_name = {dataset.name: dataset for dataset in datasets}
    sweeps = tuple(
        sweep
        for name in selected(study)
        for sweep in _sweeps(name, study.study[name], study, by_name)
    )
    return Plan(study, datasets, _with_every_checkpoint(sweeps))


def _with_every_checkpoint(sweeps: tuple[Sweep, ...]) -> tuple[Sweep, ...]:
    """Give a run that several experiments share the checkpoints that any of them asks for."""
    wanted: dict[str, set[int]] = {}
    for sweep in sweeps:
        for run in sweep.runs:
            wanted.setdefault(run.key, set()).update(run.checkpoints)
    return tuple(
        replace(
            sweep,
            runs=tuple(
                replace(run, checkpoints=tuple(sorted(wanted[run.key]))) for run in sweep.runs
            ),
        )
        for sweep in sweeps
    )


def _used_datasets(study: Study) -> set[str]:
    """Return the data sets of the selected experiments: no other is downloaded or prepared."""
    experiments = [study.study[name] for name in selected(study)]
    return {e.scales[study.scale].dataset or e.dataset for e in experiments}


def _dataset(name: str, spec: DataSpec) -> Dataset:
    code = fingerprint.code(catalog.source_file("data", spec.source))
    options = _filled("data", spec.source, spec.options)
    identity = {
        "source": spec.source,
        "sha256": spec.sha256,
        # The checksum pins the content; where it was fetched from changes nothing.
        "options": {name: value for name, value in options.items() if name not in _PLACES},
        "code": code,
    }
    return Dataset(name, f"{spec.source}-{fingerprint.digest(identity)[:12]}", spec)


@dataclass(frozen=True)
class _Cell:
    """One arm of one experiment at one width and depth: what its runs have in common."""

    experiment: str
    arm: str
    width: int
    depth: int
    grid: Grid
    reference_learning_rate: float | None
    config: dict[str, Any]


def _sweeps(
    name: str, experiment: Experiment, study: Study, datasets: dict[str, Dataset]
) -> Iterator[Sweep]:
    grid = _with_seeds(experiment.scales[study.scale], study.seed_offset)
    dataset = datasets[grid.dataset or experiment.dataset]
    for arm_name, width, depth in product(experiment.arms, grid.widths, grid.depths):
        shared = _shared_config(experiment, grid, arm_name, dataset, study)
        model = {**shared["model"], "width": width, "depth": depth}
        rate = reference_rate(experiment, grid, arm_name)
        cell = _Cell(name, arm_name, width, depth, grid, rate, {**shared, "model": model})
        axes = product(grid.learning_rates[arm_name], grid.seeds)
        runs = tuple(_run(cell, rate, seed) for rate, seed in axes)
        spectra = tuple(
            _spectrum(run, step, grid.spectra)
            for run in runs
            for step in sorted(run.checkpoints)
            if grid.spectra is not None
        )
        yield Sweep(f"{name}/{arm_name}/width{width}-depth{depth}", runs, spectra)


def _with_seeds(grid: Grid, offset: int) -> Grid:
    """Return the grid with ``offset`` added to its seeds and to those of its spectra."""

    def moved(seeds: list[int]) -> list[int]:
        return [seed + offset for seed in seeds]

    spectra = grid.spectra and grid.spectra.model_copy(update={"seeds": moved(grid.spectra.seeds)})
    return grid.model_copy(update={"seeds": moved(grid.seeds), "spectra": spectra})


def _run(cell: _Cell, learning_rate: float, seed: int) -> Run:
    grid = cell.grid
    measured = grid.measure is not None and learning_rate == cell.reference_learning_rate
    config = {
        **cell.config,
        "learning_rate": float(learning_rate),
        "seed": seed,
        "measure": _measure(grid.measure, cell.config["steps"])
        if grid.measure is not None and measured
        else None,
    }
    spectra = grid.spectra
    kept = measured and spectra is not None and seed in spectra.seeds
    code = run_code(config)
    return Run(
        key=fingerprint.digest({"config": config, "code": code})[:KEY_LENGTH],
        experiment=cell.experiment,
        arm=cell.arm,
        width=cell.width,
        depth=cell.depth,
        learning_rate=float(learning_rate),
        seed=seed,
        measured=measured,
        checkpoints=tuple(spectra.steps) if kept and spectra is not None else (),
        config=config,
        code=code,
    )


def _shared_config(
    experiment: Experiment, grid: Grid, arm_name: str, dataset: Dataset, study: Study
) -> dict[str, Any]:
    arm = experiment.arms[arm_name]
    model = grid.model or experiment.model
    optimizer = arm.optimizer or experiment.optimizer
    schedule = arm.schedule or experiment.schedule
    options = dict(optimizer.options)
    if grid.weight_decay is not None:
        options["weight_decay"] = of_arm(grid.weight_decay, arm_name)
    config = {
        "schema": SCHEMA,
        "data": dataset.id,
        "model": {
            "family": model.family,
            "options": _filled("models", model.family, model.options | arm.model_options),
        },
        "parameterization": _rules(experiment, grid, arm, model.family, study),
        "loss": experiment.loss,
        "optimizer": _named("optim", optimizer.name, options),
        "schedule": _named("optim/schedules", schedule.name, schedule.options),
        "batch_size": of_arm(grid.batch_size, arm_name),
        "steps": of_arm(grid.steps, arm_name),
        "precision": grid.precision,
    }
    # Named where they are asked for alone, so that an option added later changes no key.
    if arm.trained != "all":
        config["trained"] = arm.trained
    if grid.augmentation != "none":
        config["augmentation"] = grid.augmentation
    if (decay := arm.decay or experiment.decay) is not None:
        config["decay"] = {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in decay.model_dump().items()
        }
    if arm.group_warmup is not None:
        config["group_warmup"] = arm.group_warmup.model_dump()
    if experiment.one_pass:
        config["one_pass"] = True
    if (tuner := arm.tuner or experiment.tuner) is not None:
        config["tuner"] = _named("optim/tuners", tuner.name, tuner.options)
    if grid.train_samples is not None:
        config["train_samples"] = of_arm(grid.train_samples, arm_name)
    return config


def run_code(config: dict[str, Any]) -> dict[str, str]:
    """Return the fingerprint of the code that trains a run of this configuration."""
    probes = config["measure"]["probes"] if config["measure"] else []
    return fingerprint.code(
        "study/training/run.py",
        f"study/models/{config['model']['family']}.py",
        f"optim/{config['optimizer']['name']}.py",
        f"optim/schedules/{config['schedule']['name']}.py",
        f"study/losses/{config['loss']}.py",
        *(f"study/probes/{probe}.py" for probe in probes),
        *(["study/training/augmentation.py"] if "augmentation" in config else []),
        *(["study/training/width_rule.py"] if "decay" in config else []),
        *(["study/training/group_warmup.py"] if "group_warmup" in config else []),
        *(_tuner_code(config["tuner"]["name"]) if "tuner" in config else []),
        *(["study/training/fewer_examples.py"] if "train_samples" in config else []),
    )


def _tuner_code(name: str) -> list[str]:
    return ["study/training/tuned_updates.py", f"optim/tuners/{name}.py"]


def _rules(
    experiment: Experiment, grid: Grid, arm: Arm, model: str, study: Study
) -> dict[str, Any]:
    """Return the exponents themselves, so that a key depends on what they say, not on a name.

    Only the roles of the model's tensors and modules, and nothing that is a default: a role or a
    quantity that is added to a table later leaves the keys of these runs alone.
    """
    spec = known(study.parameterizations)[arm.parameterization]
    optimizer = arm.optimizer or experiment.optimizer
    table = spec.families[family(optimizer.name)]  # type: ignore[index]
    roles = catalog.constant("models", model, "ROLES")
    rules = {role: table[role].model_dump(exclude_defaults=True) for role in roles if role in table}
    constants = arm.constants or grid.constants or experiment.constants
    return {"rules": rules, "constants": constants.model_dump()}


def _measure(measure: Measure, steps: int) -> dict[str, Any]:
    when: dict[str, Any] = {"share": DEFAULT_SHARE if measure.share is None else measure.share}
    if measure.points is not None and measure.spacing is not None:
        when = {"steps": measurement_steps(steps, measure.points, measure.spacing)}
    return {
        "probes": sorted(measure.probes),
        "samples": measure.samples,
        "tolerance": measure.tolerance,
        **when,
    }


def _spectrum(run: Run, step: int, spectra: Spectra) -> Spectrum:
    config = {
        "schema": SCHEMA,
        "run": run.key,
        "step": step,
        "samples": spectra.samples,
        "top": spectra.top,
        "density": spectra.density.model_dump(),
    }
    code = fingerprint.code("study/spectra/spectrum.py")
    key = fingerprint.digest({"config": config, "code": code})[:KEY_LENGTH]
    return Spectrum(key, run, step, config)


def _named(room: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "options": _filled(room, name, options)}


def _filled(room: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with defaults filled in, numbers in the declared type."""
    declared = {k: v for k, v in catalog.options(room, name).items() if k not in GRID_OPTIONS}
    filled = {key: options.get(key, option.default) for key, option in declared.items()}
    return {
        key: float(value) if declared[key].annotation == "float" and value is not None else value
        for key, value in sorted(filled.items())
    }
