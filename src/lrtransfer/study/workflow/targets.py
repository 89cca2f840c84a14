"""What the Snakefile asks for: the files of each stage, its jobs, and the identity of its code.

Snakemake reads the Snakefile in every job, so this imports neither torch nor pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lrtransfer.study.plan import Dataset, Plan, Run, Spectrum, StudyError, fingerprint
from lrtransfer.study.plan.catalog import PACKAGE
from lrtransfer.study.plan.schema import Experiment
from lrtransfer.study.storage import paths
from lrtransfer.study.storage.paths import FIT_TABLES, RUN_TABLES, SPECTRA_TABLES, Layout
from lrtransfer.study.workflow.job_cost import known_costs, runtime_minutes
from lrtransfer.study.workflow.train_rules import (
    TrainJob,
    TrainRule,
    rules_of,
    rules_of_single_runs,
)


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
    """

    plan: Plan
    layout: Layout
    runs_per_job: int | str | None = None

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
        """Return the training jobs as rules for Snakemake."""
        return (rules_of_single_runs if self._job_size == 1 else rules_of)(self.train_jobs())

    def data_of(self, keys: Sequence[str]) -> list[str]:
        """Return the files of the data sets that runs are trained on.

        Raises:
            LookupError: As :func:`runs_behind`.
        """
        return list(_datasets([_lookup(self._by_key, key, "run") for key in keys]))

    def minutes(self, keys: Sequence[str], attempt: int) -> int:
        """Return the time limit of a job of these runs at its ``attempt``, counted from 1."""
        ceiling = self.plan.study.resources.train.runtime_minutes
        return runtime_minutes(keys, self._costs, ceiling, attempt)

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

    def run_tables(self, experiment: str) -> list[str]:
        """The tables over all runs of one experiment."""
        return [str(self.layout.table(experiment, name)) for name in RUN_TABLES]

    def spectra_tables(self, experiment: str) -> list[str]:
        """The tables over all spectra of one experiment."""
        return [str(self.layout.table(experiment, name)) for name in SPECTRA_TABLES]

    @property
    def tables(self) -> list[str]:
        """The tables of all selected experiments, and the index over them."""
        files = [file for name in self.plan.experiments for file in self.run_tables(name)]
        return [*files, str(self.layout.index)]

    @property
    def all_spectra_tables(self) -> list[str]:
        """The tables over the spectra of all selected experiments."""
        return [file for name in self.plan.experiments for file in self.spectra_tables(name)]

    def of(self, experiment: str) -> Targets:
        """The files of one experiment."""
        return Targets(self.plan.part(experiment), self.layout)

    def fits(self, experiment: str) -> list[str]:
        """The fit tables and the ledger of one experiment."""
        tables = [str(self.layout.fit(experiment, name)) for name in FIT_TABLES]
        return [*tables, str(self.layout.experiment_claims(experiment))]

    def figures(self, experiment: str) -> list[str]:
        """The figures of one experiment: picture, print and plotted numbers."""
        folder = self.layout.figures(experiment)
        names = self.plan.study.study[experiment].figures
        return [str(folder / f"{name}.{kind}") for name in names for kind in ("png", "pdf", "csv")]

    @property
    def all_fits(self) -> list[str]:
        """The fits of all selected experiments, and the ledger."""
        files = [file for name in self.plan.experiments for file in self.fits(name)]
        return [*files, *self.ledger]

    @property
    def ledger(self) -> list[str]:
        """The claims of all selected experiments, and the metrics."""
        return [str(self.layout.claims), str(self.layout.metrics)]

    @property
    def all_figures(self) -> list[str]:
        """The figures of all selected experiments, and the report."""
        files = [file for name in self.plan.experiments for file in self.figures(name)]
        return [*files, str(self.layout.report)]

    def identity(self, stage: str, experiment: str = "") -> str:
        """Return a hash of what a stage's files depend on besides their input files.

        Runs and spectra have none: their names hold their identity.

        Args:
            stage: ``tables``, ``spectra_tables``, ``fits``, ``figures`` or ``report``.
            experiment: Whose files; for the report, that of all selected experiments.
        """
        study = self.plan.study
        parts: dict[str, Callable[[], Any]] = {
            "tables": lambda: self._tables_identity(experiment),
            "spectra_tables": lambda: [self.spectra, fingerprint.code("study/evidence/index.py")],
            "fits": lambda: [study.fits.model_dump(), _fits_code()],
            "figures": lambda: self._figures_identity(study.study[experiment]),
            "report": lambda: [
                [study.study[name].question for name in self.plan.experiments],
                fingerprint.code("study/report/report.py"),
                [f.read_text(encoding="utf-8") for f in _pages()],
            ],
        }
        return fingerprint.digest(parts[stage]())[:16]

    def _tables_identity(self, experiment: str) -> list[Any]:
        asked = [(run.arm, run.key) for run in self.plan.runs]
        window = self.plan.grid(experiment).loss_window
        return [asked, window, fingerprint.code("study/evidence/index.py")]

    def _figures_identity(self, experiment: Experiment) -> list[Any]:
        drawn = (f"study/figures/{name}.py" for name in experiment.figures)
        return [
            experiment.model_dump(include={"arms", "figures"}),
            self.plan.study.figures.model_dump(),
            fingerprint.code("study/figures/drawing.py", *drawn),
        ]

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

    def _files(self, runs: Sequence[Run]) -> Iterator[Path]:
        for run in runs:
            yield self.layout.run(run.key)
            yield from (self.layout.checkpoint(run.key, step) for step in run.checkpoints)


def runs_behind(plan: Plan, files: Sequence[str]) -> list[Run]:
    """Return the runs whose logs are among ``files``, in the plan's order.

    Raises:
        LookupError: A file is no run of the plan: params.yaml or the code changed meanwhile.
    """
    by_key = {run.key: run for run in plan.runs}
    keys = [Path(file).stem for file in files if file.endswith(".parquet")]
    return [_lookup(by_key, key, "run") for key in keys]


def spectra_behind(plan: Plan, files: Sequence[str]) -> list[Spectrum]:
    """Return the spectra that ``files`` hold; raise ``LookupError`` as :func:`runs_behind`."""
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
    ids = dict.fromkeys(run.config["data"] for run in runs)
    return tuple(str(file(i)) for i in ids for file in (paths.arrays, paths.manifest))


def _job_name(sweep: str, number: int) -> str:
    return f"{sweep.replace('/', '-')}-{number}"


def _fits_code() -> dict[str, str]:
    by_name = (*_files_in("study/evidence/claims"), *_files_in("optim/schedules"))
    return fingerprint.code("study/evidence/experiment.py", "study/evidence/ledger.py", *by_name)


def _files_in(room: str, pattern: str = "*.py") -> list[Path]:
    return sorted((PACKAGE / room).glob(pattern))


def _pages() -> list[Path]:
    """Return the report's template and script."""
    return [*_files_in("study/report", "*.jinja"), *_files_in("study/report", "*.js")]
