"""The one place that says which file holds what; every path is relative to a study's root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PREPARED = Path("data/prepared")
WORK = Path(".lrtransfer")
# Held by the one study that runs in a folder.
STUDY_LOCK = WORK / "lock"

# The tables over all runs of an experiment.
RUN_TABLES = ("runs", "curves")


@dataclass(frozen=True)
class Layout:
    """The files of one study.

    Attributes:
        results: `results` for the scale that params.yaml names, `results/scales/<scale>` for
            another one.
    """

    results: Path = Path("results")

    @classmethod
    def of(cls, *, scale: str, default_scale: str) -> Layout:
        """Return the layout for `scale` in a project whose params.yaml names another."""
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
        """The weights of one run after `step` updates."""
        return self.checkpoints / key / f"{step}.safetensors"

    def spectrum(self, key: str) -> Path:
        """The spectrum of one checkpoint."""
        return self.results / "spectra" / "runs" / f"{key}.parquet"

    def table(self, experiment: str, name: str) -> Path:
        """The `runs`, `curves` or `spectra` that an experiment's evidence is drawn from."""
        return self.results / "tables" / f"{experiment}.{name}.parquet"

    def estimates(self, experiment: str) -> Path:
        """What was estimated from an experiment's tables."""
        return self.results / "estimates" / f"{experiment}.parquet"

    def courses(self, experiment: str) -> Path:
        """Estimates that have a course over the steps."""
        return self.results / "estimates" / f"{experiment}.courses.parquet"

    def forecasts(self, experiment: str) -> Path:
        """Optima of sizes that were left out, and of larger ones, as predicted."""
        return self.results / "estimates" / f"{experiment}.forecasts.parquet"

    @property
    def claims(self) -> Path:
        """The ledger."""
        return self.results / "claims.json"

    @property
    def claims_sums(self) -> Path:
        """The digests of ledger and metrics."""
        return self.results / "claims.sha256"

    @property
    def metrics(self) -> Path:
        """The ledger's and the estimates' numbers by name, for `dvc metrics`."""
        return self.results / "metrics.json"

    def figures(self, experiment: str) -> Path:
        """Folder of an experiment's figures."""
        return self.results / "figures" / experiment

    def figures_sums(self, experiment: str) -> Path:
        """The digests of an experiment's figures."""
        return self.figures(experiment) / "figures.sha256"

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


def kept(file: Path) -> Path:
    """The second name of a file of a prepared data set, which nobody but `prepare` touches."""
    return WORK / "jobs" / file


def arrays(dataset_id: str) -> Path:
    """The arrays of one prepared data set."""
    return prepared(dataset_id) / "arrays.safetensors"


def manifest(dataset_id: str) -> Path:
    """The digest and the counts of one prepared data set."""
    return prepared(dataset_id) / "manifest.json"
