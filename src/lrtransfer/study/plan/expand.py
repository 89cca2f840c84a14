"""A study -> its experiments, sweeps and runs: one pure function of params.yaml and the code.

The Snakefile, the command line, the tests and the figures all call `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

from lrtransfer.scaling.horizon import horizon
from lrtransfer.study.plan import catalog, fingerprint
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.checks import selected
from lrtransfer.study.plan.measurement import measurement_steps
from lrtransfer.study.plan.parameterizations import family, known
from lrtransfer.study.plan.parts import run_code
from lrtransfer.study.plan.run_config import (
    DecayConfig,
    DensityConfig,
    GroupWarmupConfig,
    HorizonConfig,
    MeasureConfig,
    ModelConfig,
    NamedConfig,
    ParameterizationConfig,
    RunConfig,
    SpectrumConfig,
)
from lrtransfer.study.plan.schema import (
    Arm,
    DataSpec,
    DecayRule,
    Experiment,
    Grid,
    Horizon,
    Measure,
    NamedSpec,
    Spectra,
    Study,
    of_arm,
)
from lrtransfer.study.plan.sizes import Length, lengths, own_length

KEY_LENGTH = 16
# Of the price of training, for measuring where an experiment names no steps.
DEFAULT_SHARE = 0.15
_PLACES = frozenset({"url", "path"})


@dataclass(frozen=True)
class Dataset:
    """One prepared data set: `id` covers source, checksum, options and preparation code."""

    name: str
    id: str
    spec: DataSpec


@dataclass(frozen=True)
class Run:
    """One training trajectory as one experiment asks for it.

    Attributes:
        key: Hash of `config` and `code`: all that can change the result.
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
    config: RunConfig
    code: dict[str, str]

    @property
    def batch(self) -> int:
        """Samples of an update."""
        return self.config.batch_size

    @property
    def duration(self) -> int:
        """Samples that the run sees."""
        return self.config.batch_size * self.config.steps


@dataclass(frozen=True)
class Spectrum:
    """The curvature spectrum of one run at one checkpoint; `key` covers its config and code."""

    key: str
    run: Run
    step: int
    config: SpectrumConfig


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

    def data_of(self, config: RunConfig) -> Dataset:
        """Return the data set of a run."""
        return next(dataset for dataset in self.datasets if dataset.id == config.data)

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

    def completed(run: Run) -> Run:
        return replace(run, checkpoints=tuple(sorted(wanted[run.key])))

    return tuple(replace(sweep, runs=tuple(map(completed, sweep.runs))) for sweep in sweeps)


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


def _sweeps(
    name: str, experiment: Experiment, study: Study, datasets: dict[str, Dataset]
) -> Iterator[Sweep]:
    grid = _with_seeds(experiment.scales[study.scale], study.seed_offset)
    dataset = datasets[grid.dataset or experiment.dataset]
    nets = product(experiment.arms, grid.widths, grid.depths)
    for arm, width, depth, length in ((*net, own) for net in nets for own in lengths(grid, net[0])):
        size = (width, depth, length)
        config = _shared_config(experiment, grid, arm, size=size, dataset=dataset.id, study=study)
        measure = grid.measure and _measure(grid.measure, length.steps)
        runs: list[Run] = []
        codes: dict[bool, _Code] = {}
        for rate, seed in product(grid.learning_rates[arm], grid.seeds):
            measured = measure if rate == grid.reference_learning_rate.get(arm) else None
            # A probe looks at one network.
            batched = grid.batched if measured is None else None
            whole = config(learning_rate=float(rate), seed=seed, measure=measured, batched=batched)
            # The same at every rate and seed, and dear to find for each.
            if (code := codes.get(measured is None)) is None:
                code = codes[measured is None] = _Code.of(whole)
            runs.append(_run(name, arm, whole, grid.spectra, code))
        spectra = tuple(
            _spectrum(run, step, grid.spectra)
            for run in runs
            for step in sorted(run.checkpoints)
            if grid.spectra is not None
        )
        place = f"{name}/{arm}/width{width}-depth{depth}"
        if length != own_length(grid, arm):
            place += f"-batch{length.batch_size}-steps{length.steps}"
        yield Sweep(place, tuple(runs), spectra)


def _with_seeds(grid: Grid, offset: int) -> Grid:
    """Return the grid with `offset` added to its seeds and to those of its spectra."""

    def moved(seeds: list[int]) -> list[int]:
        return [seed + offset for seed in seeds]

    spectra = grid.spectra and grid.spectra.model_copy(update={"seeds": moved(grid.spectra.seeds)})
    return grid.model_copy(update={"seeds": moved(grid.seeds), "spectra": spectra})


@dataclass(frozen=True)
class _Code:
    """The code of runs: file -> hash, and the same as canonical JSON."""

    files: dict[str, str]
    canonical: str

    @classmethod
    def of(cls, config: RunConfig) -> _Code:
        files = run_code(config)
        return cls(files, fingerprint.canonical(files))


def _run(experiment: str, arm: str, config: RunConfig, spectra: Spectra | None, code: _Code) -> Run:
    measured = config.measure is not None
    kept = spectra.steps if measured and spectra and config.seed in spectra.seeds else ()
    return Run(
        key=fingerprint.digest_of(
            config=fingerprint.canonical(config.to_json()), code=code.canonical
        )[:KEY_LENGTH],
        experiment=experiment,
        arm=arm,
        width=config.model.width,
        depth=config.model.depth,
        learning_rate=config.learning_rate,
        seed=config.seed,
        measured=measured,
        checkpoints=tuple(kept),
        config=config,
        code=code.files,
    )


def _shared_config(
    experiment: Experiment,
    grid: Grid,
    arm_name: str,
    *,
    size: tuple[int, int, Length],
    dataset: str,
    study: Study,
) -> partial[RunConfig]:
    """Return what the runs of a sweep share: all but learning rate, seed and what is measured."""
    arm, (width, depth, length) = experiment.arms[arm_name], size
    model = grid.model or experiment.model
    optimizer = arm.optimizer
    if grid.weight_decay is not None:
        options = {**optimizer.options, "weight_decay": of_arm(grid.weight_decay, arm_name)}
        optimizer = NamedSpec(name=optimizer.name, options=options)
    decay, tuner, warmup, samples = arm.decay, arm.tuner, arm.group_warmup, grid.train_samples
    said = grid.augmentation
    augmentation = said.get(arm_name, "none") if isinstance(said, dict) else said
    own = own_length(grid, arm_name)
    by = None if arm.horizon is None else _horizon(arm.horizon, length, own)
    named = _named("optim", optimizer)
    return partial(
        RunConfig,
        data=dataset,
        model=ModelConfig(
            family=model.family,
            options=_filled("models", model.family, model.options | arm.model_options),
            width=width,
            depth=depth,
        ),
        parameterization=_parameterization(experiment, grid, arm, model.family, study),
        loss=experiment.loss,
        optimizer=named if by is None else _with_betas(named, by),
        schedule=_named("optim/schedules", arm.schedule),
        batch_size=length.batch_size,
        steps=length.steps,
        precision=grid.precision,
        trained=arm.trained,
        augmentation=None if augmentation == "none" else augmentation,
        decay=None if decay is None else _decay(decay),
        group_warmup=None if warmup is None else GroupWarmupConfig(**warmup.model_dump()),
        one_pass=experiment.one_pass,
        tuner=None if tuner is None else _named("optim/tuners", tuner),
        train_samples=None if samples is None else of_arm(samples, arm_name),
        replay=None if arm.replay is None else _named("optim", arm.replay),
        micro_batch=grid.micro_batch,
        compile=grid.compile,
        fused=grid.fused or None,
        horizon=by,
    )


def _decay(rule: DecayRule) -> DecayConfig:
    return DecayConfig(
        rule=rule.rule,
        power=rule.power,
        unscaled=tuple(sorted(rule.unscaled)),
        faster=tuple(sorted(rule.faster)),
        undecayed=tuple(sorted(rule.undecayed)),
    )


def _horizon(asked: Horizon, at: Length, own: Length) -> HorizonConfig | None:
    """Return what the rule knows of a run; None at its base, where it changes nothing."""
    batch, steps = asked.batch_size or own.batch_size, asked.steps or own.steps
    if at == (batch, steps):
        return None
    samples = at.batch_size * at.steps / (batch * steps)
    return HorizonConfig(rule=asked.rule, batch=at.batch_size / batch, duration=samples)


def _with_betas(optimizer: NamedConfig, by: HorizonConfig) -> NamedConfig:
    """Return the optimizer with the β that the rule makes of its own, which are AdamW's."""
    betas = tuple(optimizer.options.get(name) for name in ("beta1", "beta2"))
    if None in betas:
        return optimizer
    found = horizon(by.rule, "adamw", batch=by.batch, duration=by.duration, betas=betas)  # type: ignore[arg-type]
    scaled = dict(zip(("beta1", "beta2"), found.betas or betas, strict=True))
    return NamedConfig(name=optimizer.name, options={**optimizer.options, **scaled})


def _parameterization(
    experiment: Experiment, grid: Grid, arm: Arm, model: str, study: Study
) -> ParameterizationConfig:
    """Return the exponents themselves, so that a key depends on what they say, not on a name.

    Only the roles of the model's tensors and modules, and nothing that is a default: a role or a
    quantity that is added to a table later leaves the keys of these runs alone. Of a model that
    tells no roles, all of the table's.
    """
    spec = known(study.parameterizations)[arm.parameterization]
    column = family(arm.optimizer.name)
    table, told = spec.families[column], catalog.tells_roles(model)  # type: ignore[index]
    roles = catalog.constant("models", model, "ROLES") if told else sorted(table)
    rules = {role: table[role].model_dump(exclude_defaults=True) for role in roles if role in table}
    constants = arm.constants or grid.constants or experiment.constants
    return ParameterizationConfig(
        rules=rules,
        constants=constants.model_dump(),
        outside=None if told else column,  # type: ignore[arg-type]
    )


def _measure(measure: Measure, steps: int) -> MeasureConfig:
    named, share = None, DEFAULT_SHARE if measure.share is None else measure.share
    if measure.points is not None and measure.spacing is not None:
        named = tuple(measurement_steps(steps, measure.points, measure.spacing))
    return MeasureConfig(
        probes=tuple(sorted(measure.probes)),
        samples=measure.samples,
        tolerance=measure.tolerance,
        steps=named,
        share=share if named is None else None,
    )


def _spectrum(run: Run, step: int, spectra: Spectra) -> Spectrum:
    config = SpectrumConfig(
        run=run.key,
        step=step,
        samples=spectra.samples,
        top=spectra.top,
        density=DensityConfig(**spectra.density.model_dump()),
    )
    code = fingerprint.code("study/spectra/spectrum.py")
    key = fingerprint.digest({"config": config.to_json(), "code": code})[:KEY_LENGTH]
    return Spectrum(key, run, step, config)


def _named(room: str, spec: NamedSpec) -> NamedConfig:
    return NamedConfig(name=spec.name, options=_filled(room, spec.name, spec.options))


def _filled(room: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with defaults filled in, numbers in the declared type."""
    declared = {k: v for k, v in catalog.options(room, name).items() if k not in GRID_OPTIONS}
    filled = {key: options.get(key, option.default) for key, option in declared.items()}
    return {
        key: float(value) if declared[key].annotation == "float" and value is not None else value
        for key, value in sorted(filled.items())
    }
