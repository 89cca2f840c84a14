"""What the Snakefile asks for: the files of each stage, its jobs, and the identity of its code.

Snakemake reads the Snakefile in every job, so this imports neither torch nor pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lrtransfer.study.plan import catalog, fingerprint
from lrtransfer.study.plan.claims import FILE
from lrtransfer.study.plan.expand import Dataset, Plan, Run, Spectrum
from lrtransfer.study.plan.places import PACKAGE
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.paths import RUN_TABLES, Layout
from lrtransfer.study.workflow.cost import known_costs, runtime_minutes, small_runs
from lrtransfer.study.workflow.stored import estimate_files, estimated_experiments

# Stands for the run of a job in a rule for many jobs: Snakemake's wildcard.
_ANY_KEY = "{key}"


@dataclass(frozen=True)
class TrainJob:
    """Runs that share one training job; `name` is unique and fit for a rule and a log file."""

    name: str
    keys: tuple[str, ...]
    datasets: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class TrainRule:
    """A rule of train.smk.

    Attributes:
        name: Of the rule, after `train_`.
        log: Name of its log files.
        outputs: The files of the runs; the common rule's has Snakemake's wildcard in its name.
        keys: The runs; empty for the common rule.
    """

    name: str
    log: str
    outputs: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class SpectraJob:
    """Checkpoints that share one spectra job."""

    name: str
    datasets: tuple[str, ...]
    checkpoints: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Targets:
    """All files of a study, by stage.

    Attributes:
        plan: What the study asks for.
        layout: Where its files lie.
        runs_per_job: Instead of params.yaml's, as a cluster's profile has it.
        gres: What a training job asks Slurm for in place of `resources.train.gpu`: `gpu:1`.
        small_gres: The same of a job whose nets leave most of a card idle: `shard:1`.
    """

    plan: Plan
    layout: Layout
    runs_per_job: int | str | None = None
    gres: str = ""
    small_gres: str = ""

    def __post_init__(self) -> None:
        chosen = self.runs_per_job
        if chosen not in (None, "sweep") and not (isinstance(chosen, int) and chosen > 0):
            raise StudyError(
                [f"runs_per_job is {chosen!r}. Give `sweep` or a whole number from 1 on."]
            )

    @property
    def datasets(self) -> list[str]:
        """The files of all prepared data sets."""
        return [file for dataset in self.plan.datasets for file in self.dataset(dataset)]

    def dataset(self, dataset: Dataset) -> list[str]:
        """The arrays and the manifest of one prepared data set."""
        return [str(paths.arrays(dataset.id)), str(paths.manifest(dataset.id))]

    def train_jobs(self) -> Iterator[TrainJob]:
        """Yield the training jobs; a run that two sweeps share belongs to the first."""
        seen: set[str] = set()
        for sweep in self.plan.sweeps:
            fresh = [run for run in sweep.runs if run.key not in seen]
            seen |= {run.key for run in fresh}
            for number, runs in enumerate(self._split(fresh)):
                yield TrainJob(
                    name=_job_name(sweep.name, number),
                    keys=tuple(run.key for run in runs),
                    datasets=_datasets(runs),
                    outputs=tuple(map(str, self._files(runs))),
                )

    def train_rules(self) -> list[TrainRule]:
        """Return the training jobs as rules for Snakemake: one each, but one for plain runs.

        Snakemake reads all rules again in every job, and copies a table of them for each job that
        it prints: a rule for each of 10,000 runs would cost every job six seconds and planning two
        minutes. Where runs are cut into jobs of one, those that write their log alone share a
        rule; where that and another could make a file, Snakemake takes the one without a wildcard.
        """
        jobs = list(self.train_jobs())
        plain = [job for job in jobs if self._job_size == 1 and len(job.outputs) == 1]
        patterns = {job.outputs[0].replace(job.keys[0], _ANY_KEY) for job in plain}
        others = [job for job in jobs if not patterns or len(job.outputs) > 1]
        return [
            *(TrainRule("run", _ANY_KEY, (pattern,), ()) for pattern in patterns),
            *(TrainRule(job.name, job.name, job.outputs, job.keys) for job in others),
        ]

    def data_of(self, keys: Sequence[str]) -> list[str]:
        """Return the files of the data sets that runs are trained on.

        Raises:
            LookupError: As `runs_behind`.
        """
        return list(_datasets([_lookup(self._by_key, key, "run") for key in keys]))

    def minutes(self, keys: Sequence[str], attempt: int) -> int:
        """Return the time limit of a job of these runs at its `attempt`, counted from 1."""
        ceiling = self.plan.study.resources.train.runtime_minutes
        return runtime_minutes(keys, self._costs, ceiling, attempt)

    def gres_of(self, keys: Sequence[str]) -> str:
        """Return what of a card a job of these runs asks Slurm for; empty for nothing."""
        small = self.small_gres and all(key in self._small for key in keys)
        return self.small_gres if small else self.gres

    def spectra_jobs(self) -> Iterator[SpectraJob]:
        """Yield the spectra jobs, one for each sweep that keeps checkpoints."""
        seen: set[str] = set()
        for sweep in self.plan.sweeps:
            fresh = [spectrum for spectrum in sweep.spectra if spectrum.key not in seen]
            seen |= {spectrum.key for spectrum in fresh}
            if fresh:
                yield SpectraJob(
                    name=_job_name(sweep.name, 0),
                    datasets=_datasets([s.run for s in fresh]),
                    checkpoints=tuple(
                        str(self.layout.checkpoint(s.run.key, s.step)) for s in fresh
                    ),
                    outputs=tuple(str(self.layout.spectrum(s.key)) for s in fresh),
                )

    @property
    def runs(self) -> list[str]:
        """Every run's log, once."""
        return [str(self.layout.run(key)) for key in dict.fromkeys(r.key for r in self.plan.runs)]

    @property
    def checkpoints(self) -> list[str]:
        """Every kept checkpoint, once."""
        files = (self.layout.checkpoint(r.key, s) for r in self.plan.runs for s in r.checkpoints)
        return list(dict.fromkeys(map(str, files)))

    @property
    def spectra(self) -> list[str]:
        """Every spectrum, once."""
        return list(dict.fromkeys(str(self.layout.spectrum(s.key)) for s in self.plan.spectra))

    def of(self, experiment: str) -> Targets:
        """The files of one experiment."""
        return Targets(self.plan.part(experiment), self.layout)

    def run_tables(self, experiment: str) -> list[str]:
        """The tables over all runs of one experiment."""
        return [str(self.layout.table(experiment, name)) for name in RUN_TABLES]

    def spectra_tables(self, experiment: str) -> list[str]:
        """The table over all spectra of one experiment, where its grid asks for spectra."""
        asked = self.plan.grid(experiment).spectra is not None
        return [str(self.layout.table(experiment, "spectra"))] if asked else []

    def estimates(self, experiment: str) -> list[str]:
        """The estimates of one experiment."""
        return [str(file) for file in estimate_files(self.plan, self.layout, experiment)]

    @property
    def all_estimates(self) -> list[str]:
        """The estimates of all selected experiments, and stored ones of others in params.yaml."""
        return [
            str(file)
            for name in estimated_experiments(self.plan, self.layout)
            for file in estimate_files(self.plan, self.layout, name)
            if name in self.plan.experiments or file.is_file()
        ]

    def figures(self, experiment: str) -> list[str]:
        """The figures of one experiment: picture, print and plotted numbers."""
        folder = self.layout.figures(experiment)
        names = self.plan.study.study[experiment].figures
        return [str(folder / f"{name}.{kind}") for name in names for kind in ("png", "pdf", "csv")]

    def figures_sums(self, experiment: str) -> list[str]:
        """The digests of one experiment's figures."""
        return [str(self.layout.figures_sums(experiment))]

    @property
    def ledger(self) -> list[str]:
        """The ledger, the metrics and their digests."""
        return [str(self.layout.claims), str(self.layout.metrics), str(self.layout.claims_sums)]

    def each(self, files: Callable[[str], list[str]]) -> list[str]:
        """Return `files` of every selected experiment, as in `each(targets.figures)`."""
        return [file for name in self.plan.experiments for file in files(name)]

    def identity(self, stage: str, experiment: str = "") -> str:
        """Return a hash of what a stage's files depend on besides their input files.

        Runs and spectra have none: their names hold their identity.

        Args:
            stage: `tables`, `spectra_table`, `estimates`, `ledger`, `figures` or
                `report`.
            experiment: Whose files; for the ledger and the report, those of all.
        """
        study = self.plan.study
        parts: dict[str, Callable[[], list[Any]]] = {
            "tables": lambda: [
                [(run.arm, run.key) for run in self.plan.runs],
                self.plan.grid(experiment).loss_window,
                _code("stages.py", "study/evidence/tables.py"),
            ],
            "spectra_table": lambda: [self.spectra, _code("stages.py", "study/evidence/tables.py")],
            "estimates": lambda: [
                study.fits.confidence,  # of the forecasts
                {kind: catalog.columns(kind) for kind in catalog.COLUMN_KINDS},
                _code(
                    "stages.py",
                    "study/evidence/experiment.py",
                    "study/storage/tables.py",
                    "transfer/held_out.py",
                    *_files_in("optim/schedules"),
                    *_from_outside("optim/schedules"),
                ),
            ],
            "ledger": lambda: [
                study.fits.confidence,
                fingerprint.digest(_claims()),
                _code(
                    "stages.py",
                    "study/evidence/ledger.py",
                    *(source.file for source in catalog.measure_sources()),
                ),
            ],
            "figures": lambda: [
                study.study[experiment].model_dump(
                    exclude={"question", "paper", "group", "scales"}
                ),
                self.plan.grid(experiment).model_dump(),
                study.figures.model_dump(),
                study.fits.confidence,
                _code(
                    "reporting.py",
                    "study/figures/drawing.py",
                    *(catalog.source_file("figures", n) for n in study.study[experiment].figures),
                ),
            ],
            "report": lambda: [
                [
                    study.study[name].model_dump(include={"question", "paper"})
                    for name in self.plan.experiments
                ],
                study.fits.confidence,
                _code("reporting.py", "study/report/report.py"),
                [f.read_text(encoding="utf-8") for f in _pages()],
            ],
        }
        return fingerprint.digest(parts[stage]())[:16]

    @property
    def _job_size(self) -> int | str:
        return self.runs_per_job or self.plan.study.resources.runs_per_job

    def _split(self, runs: Sequence[Run]) -> Iterator[Sequence[Run]]:
        size = self._job_size
        step = size if isinstance(size, int) else max(len(runs), 1)
        for start in range(0, len(runs), step):
            yield runs[start : start + step]

    @cached_property
    def _by_key(self) -> dict[str, Run]:
        return {run.key: run for run in self.plan.runs}

    @cached_property
    def _costs(self) -> dict[str, float]:
        return known_costs()

    @cached_property
    def _small(self) -> frozenset[str]:
        return small_runs()

    def _files(self, runs: Sequence[Run]) -> Iterator[Path]:
        for run in runs:
            yield self.layout.run(run.key)
            yield from (self.layout.checkpoint(run.key, step) for step in run.checkpoints)


def runs_behind(plan: Plan, files: Sequence[str]) -> list[Run]:
    """Return the runs whose logs are among `files`, in the plan's order.

    Raises:
        LookupError: A file is no run of the plan: params.yaml or the code changed meanwhile.
    """
    by_key = {run.key: run for run in plan.runs}
    keys = [Path(file).stem for file in files if file.endswith(".parquet")]
    return [_lookup(by_key, key, "run") for key in keys]


def spectra_behind(plan: Plan, files: Sequence[str]) -> list[Spectrum]:
    """Return the spectra that `files` hold; raise `LookupError` as `runs_behind`."""
    by_key = {spectrum.key: spectrum for spectrum in plan.spectra}
    return [_lookup(by_key, Path(file).stem, "spectrum") for file in files]


def _lookup(by_key: dict[str, Any], key: str, what: str) -> Any:
    if key not in by_key:
        raise LookupError(
            f"no {what} of this study has the key {key}: params.yaml or the code changed while "
            "the study was running. Start it again."
        )
    return by_key[key]


def _datasets(runs: Sequence[Run]) -> tuple[str, ...]:
    ids = dict.fromkeys(run.config.data for run in runs)
    return tuple(str(file(i)) for i in ids for file in (paths.arrays, paths.manifest))


def _job_name(sweep: str, number: int) -> str:
    return f"{sweep.replace('/', '-')}-{number}"


def _code(own: str, *roots: str | Path) -> list[Any]:
    """Return the code of `roots` with all they import, and of the stage's own file alone."""
    return [fingerprint.code(*roots), fingerprint.file_hash(PACKAGE / "study/workflow" / own)]


def _from_outside(room: str) -> list[Path]:
    """Return the files of a room's members that are not this package's."""
    names = (name for name in catalog.names(room) if not catalog.is_ours(room, name))
    return [catalog.source_file(room, name) for name in names]


def _files_in(room: str, pattern: str = "*.py") -> list[Path]:
    return sorted((PACKAGE / room).glob(pattern))


def _pages() -> list[Path]:
    """Return the report's template and script."""
    return [*_files_in("study/report", "*.jinja"), *_files_in("study/report", "*.js")]


def _claims() -> dict[str, Any]:
    """Return what the study's claims say; nothing without any."""
    path = Path(FILE)
    return read_yaml(path, empty=True) if path.is_file() else {}
