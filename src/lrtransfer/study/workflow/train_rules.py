"""Training jobs as Snakemake rules: one for each job, but a common one for jobs of one plain run.

Snakemake reads all rules again in every job, and copies a table of them for each job that it
prints: a rule for each of 10,000 runs would cost every job six seconds and planning two minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Stands for the run of a job in a rule for many jobs: Snakemake's wildcard.
ANY_KEY = "{key}"


@dataclass(frozen=True)
class TrainJob:
    """Runs that share one training job; ``name`` is unique and fit for a rule and a log file."""

    name: str
    keys: tuple[str, ...]
    datasets: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class TrainRule:
    """A rule of train.smk.

    Attributes:
        name: Of the rule, after ``train_``.
        log: Name of its log files.
        outputs: The files of the runs; the common rule's has :data:`ANY_KEY` in its name.
        keys: The runs; empty for the common rule.
    """

    name: str
    log: str
    outputs: tuple[str, ...]
    keys: tuple[str, ...]


def rules_of(jobs: Iterable[TrainJob]) -> list[TrainRule]:
    """Return a rule for each job."""
    return [TrainRule(job.name, job.name, job.outputs, job.keys) for job in jobs]


def rules_of_single_runs(jobs: Iterable[TrainJob]) -> list[TrainRule]:
    """Return one rule for all jobs of a run that writes its log alone, and one for each other job.

    Where both could make a file, Snakemake takes the rule without a wildcard.
    """
    jobs = list(jobs)
    others = [job for job in jobs if len(job.outputs) > 1]
    plain = (job for job in jobs if len(job.outputs) == 1)
    patterns = {job.outputs[0].replace(job.keys[0], ANY_KEY) for job in plain}
    common = [TrainRule("run", ANY_KEY, (pattern,), ()) for pattern in patterns]
    return [*common, *rules_of(others)]
