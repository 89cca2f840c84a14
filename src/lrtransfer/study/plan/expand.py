"""A study -> its experiments, sweeps and runs: one pure function of params.yaml and the code.

The Snakefile, the command line, the tests and the figures all call `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from lrtransfer.study.plan import catalog, fingerprint
from lrtransfer.study.plan.checks import selected
from lrtransfer.study.plan.parts import run_code
from lrtransfer.study.plan.run_config import (
    DensityConfig,
    RunConfig,
    SpectrumConfig,
)
from lrtransfer.study.plan.schema import (
    DataSpec,
    Experiment,
    Grid,
    Spectra,
    Study,
)
from lrtransfer.study.plan.settings import filled, measure_config, shared_config
from lrtransfer.study.plan.sizes import lengths, own_length

KEY_LENGTH = 16
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
    options = filled("data", spec.source, spec.options)
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
        config = shared_config(experiment, grid, arm, size=size, dataset=dataset.id, study=study)
        measure = grid.measure and measure_config(grid.measure, length.steps)
        runs: list[Run] = []
        kinds: dict[bool, _Kind] = {}
        for rate, seed in product(grid.learning_rates[arm], grid.seeds):
            measured = measure if rate == grid.reference_learning_rate.get(arm) else None
            # A probe looks at one network.
            batched = grid.batched if measured is None else None
            whole = config(learning_rate=float(rate), seed=seed, measure=measured, batched=batched)
            if (kind := kinds.get(measured is None)) is None:
                kind = kinds[measured is None] = _Kind.of(whole)
            runs.append(_run(name, arm, whole, grid.spectra, kind))
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
class _Kind:
    """What runs that differ in rate and seed share, and what is dear to find for each.

    Attributes:
        content: The configuration as JSON.
        code: File -> hash of the code, and `canonical` the same as canonical JSON.
    """

    content: dict[str, Any]
    code: dict[str, str]
    canonical: str

    @classmethod
    def of(cls, config: RunConfig) -> _Kind:
        code = run_code(config)
        return cls(config.to_json(), code, fingerprint.canonical(code))

    def key(self, config: RunConfig) -> str:
        """Return the key of one of the runs."""
        own = {"learning_rate": config.learning_rate, "seed": config.seed}
        whole = fingerprint.canonical(self.content | own)
        return fingerprint.digest_of(config=whole, code=self.canonical)[:KEY_LENGTH]


def _run(experiment: str, arm: str, config: RunConfig, spectra: Spectra | None, kind: _Kind) -> Run:
    measured = config.measure is not None
    kept = spectra.steps if measured and spectra and config.seed in spectra.seeds else ()
    return Run(
        key=kind.key(config),
        experiment=experiment,
        arm=arm,
        width=config.model.width,
        depth=config.model.depth,
        learning_rate=config.learning_rate,
        seed=config.seed,
        measured=measured,
        checkpoints=tuple(kept),
        config=config,
        code=kind.code,
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
