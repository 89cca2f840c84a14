"""The one place that says which file holds what; every path is relative to a study's root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PREPARED = Path("data/prepared")
WORK = Path(".lrtransfer")
# Held by the one study that runs in a folder.
STUDY_LOCK = WORK / "lock"

# The tables over all runs and over all spectra of an experiment.
RUN_TABLES = ("runs", "curves")
SPECTRA_TABLES = ("eigenvalues", "density")

# The fit tables of every experiment, in the order in which they build on each other.
FIT_TABLES = (
    "optima",
    "drift",
    "regret",
    "distances",
    "consistency",
    "trends",
    "changes",
    "edge_of_stability",
    "phases",
    "phase_slopes",
    "arm_differences",
    "predicted_updates",
    "implicit_warmup",
    "warmup_summary",
    "conditions",
    "laws",
    "held_out",
    "forecast",
    "transfer_metrics",
    "predicted_drifts",
    "predictors",
    "predictor_differences",
)


@dataclass(frozen=True)
class Layout:
    """The files of one study.

    Attributes:
        results: ``results`` for the scale that params.yaml names, ``results/scales/<scale>`` for
            another one.
    """

    results: Path = Path("results")

    @classmethod
    def of(cls, *, scale: str, default_scale: str) -> Layout:
        """Return the layout for ``scale`` in a project whose params.yaml names another."""
        return cls() if scale == default_scale else cls(Path("results/scales") / scale)

    @property
    def runs(self) -> Path:
        """Folder of the run files."""
        return self.results / "runs"

    @property
    def checkpoints(self) -> Path:
        """Folder of the kept weights."""
        return self.results / "checkpoints"

    def run(self, key: str) -> Path:
        """The log of one run."""
        return self.runs / f"{key}.parquet"

    def checkpoint(self, key: str, step: int) -> Path:
        """The weights of one run after ``step`` updates."""
        return self.checkpoints / key / f"{step}.safetensors"

    def spectrum(self, key: str) -> Path:
        """The spectrum of one checkpoint."""
        return self.results / "spectra" / "runs" / f"{key}.parquet"

    @property
    def index(self) -> Path:
        """One row per run of the selected experiments."""
        return self.results / "runs.parquet"

    def table(self, experiment: str, name: str) -> Path:
        """One table of an experiment; ``name`` is of ``RUN_TABLES`` or ``SPECTRA_TABLES``."""
        folder = "spectra/tables" if name in SPECTRA_TABLES else "tables"
        return self.results / folder / f"{experiment}.{name}.parquet"

    @property
    def fits(self) -> Path:
        """Folder of the fit tables."""
        return self.results / "fits"

    def fit(self, experiment: str, name: str) -> Path:
        """One fit table."""
        return self.fits / f"{experiment}.{name}.csv"

    def experiment_claims(self, experiment: str) -> Path:
        """The ledger of one experiment."""
        return self.fits / f"{experiment}.claims.json"

    @property
    def claims(self) -> Path:
        """The ledger."""
        return self.results / "claims.json"

    @property
    def metrics(self) -> Path:
        """The ledger's and the fits' numbers by name, for ``dvc metrics``."""
        return self.results / "metrics.json"

    def figures(self, experiment: str) -> Path:
        """Folder of an experiment's figures."""
        return self.results / "figures" / experiment

    @property
    def report(self) -> Path:
        """The report."""
        return self.results / "report.html"

    @property
    def work(self) -> Path:
        """Folder of unfinished work and of links to finished runs; no tool tracks it."""
        return WORK / "jobs" / self.results

    @property
    def journal(self) -> Path:
        """One line for every run that was trained here: when, which, how long."""
        return self.work / "journal.jsonl"

    def work_spectrum(self, key: str) -> Path:
        """The finished copy of one spectrum."""
        return self.work / "spectra" / f"{key}.parquet"

    def work_run(self, key: str) -> Path:
        """Folder of one run's unfinished work and finished copies."""
        return self.work / "runs" / key


def prepared(dataset_id: str) -> Path:
    """Folder of one prepared data set."""
    return PREPARED / dataset_id


def arrays(dataset_id: str) -> Path:
    """The arrays of one prepared data set."""
    return prepared(dataset_id) / "arrays.safetensors"


def manifest(dataset_id: str) -> Path:
    """The digest and the counts of one prepared data set."""
    return prepared(dataset_id) / "manifest.json"
