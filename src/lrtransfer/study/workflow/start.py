"""The one way into the study for people, DVC and Snakemake: choose, lock, heal, start, watch."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import yaml

from lrtransfer.study.plan.checks import selected
from lrtransfer.study.plan.expand import Dataset, Plan, plan
from lrtransfer.study.plan.load import load_study
from lrtransfer.study.plan.messages import unknown
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml
from lrtransfer.study.storage.locks import acquire
from lrtransfer.study.storage.paths import STUDY_LOCK, Layout
from lrtransfer.study.storage.starter import announce_starter
from lrtransfer.study.workflow.forecast import forecast
from lrtransfer.study.workflow.machine import check_folders, own_cache
from lrtransfer.study.workflow.safeguard import date_back, set_aside
from lrtransfer.study.workflow.soundness import check_results, stale_tables
from lrtransfer.study.workflow.targets import Targets
from lrtransfer.study.workflow.terminal import terminal

# What a command may choose instead of params.yaml; jobs inherit it as LRTRANSFER_SCALE, ….
_OVERRIDES = ("scale", "experiments")
_PREFIX = "LRTRANSFER_"
# Snakemake's own variable: the profile of a cluster.
_PROFILE = "SNAKEMAKE_PROFILE"
# Says that Snakemake inherits this folder's lock from us.
_LOCK_VARIABLE = "LRTRANSFER_LOCK"
# Both cluster profiles begin the names of their jobs so.
_JOB_NAME = "lrtransfer"
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 1.0
# As common.smk says it.
_LOGS = Path("logs")
# Rules that no table comes before.
_BEFORE_TABLES = re.compile(r"(prepare|train|spectra)_(?!table_)")
_held: list[IO[str]] = []


@dataclass(frozen=True)
class Selection:
    """A plan, where its files lie, and what was asked for instead of params.yaml's own choice."""

    plan: Plan
    layout: Layout
    overrides: dict[str, str]


def select(
    params: Path,
    scale: str | None = None,
    experiments: str | None = None,
    only: str | None = None,
) -> Selection:
    """Return what to do for a params.yaml and the options `--scale` and `--experiments`.

    Args:
        params: The file.
        scale: Instead of the file's.
        experiments: Instead of the file's.
        only: The one of them to plan; None plans all.

    Raises:
        StudyError: The file or an option is faulty, `only` is none of its experiments, or a data
            set has no checksum.
    """
    study = load_study(params, scale=scale, experiments=experiments)
    # The file's own, whose results lie in results/ itself.
    default = read_yaml(params, merging=False).get("scale") if scale else study.scale
    wanted = {"scale": scale, "experiments": experiments}
    if only is not None:
        if only not in selected(study):
            raise StudyError([unknown("experiment", only, selected(study))])
        study = study.model_copy(update={"experiments": [only]})
    made = plan(study)
    if open_ended := [dataset for dataset in made.datasets if dataset.spec.sha256 is None]:
        from lrtransfer.study.data.pinned import changed

        raise StudyError([f"{params}: {changed(dataset)}" for dataset in open_ended])
    return Selection(
        plan=made,
        layout=Layout.of(scale=study.scale, default_scale=str(default)),
        overrides={name: value for name, value in wanted.items() if value},
    )


def check_data(plan: Plan) -> None:
    """Compare the content of data sets with what params.yaml pins, where it may have changed.

    Raises:
        StudyError: One has changed, and the line names both checksums; or it is not there.
    """
    from lrtransfer.study.data.pinned import changed

    def fault(dataset: Dataset) -> str | None:
        try:
            return changed(dataset)
        except RuntimeError as error:  # a file of one's own that is not there
            return f"data.{dataset.name}: {error}"

    if faults := [found for found in map(fault, plan.datasets) if found is not None]:
        raise StudyError([f"params.yaml: {found}" for found in faults])


def run_snakemake(
    plan: Plan, layout: Layout, targets: list[str], cores: int, overrides: dict[str, str]
) -> None:
    """Replace this process by Snakemake; the lock stays held until that ends.

    Damaged results are named and set aside first, so that they are made anew. Being the only
    holder of the lock, we may clear what a killed Snakemake left behind.

    Args:
        plan: What the study asks for.
        layout: Where its files lie.
        targets: Rules or files to make.
        cores: How many cores may be used on this machine.
        overrides: `scale` and `experiments` where they differ from params.yaml.

    Raises:
        LockHeldError: Another study runs in this folder.
    """
    settings = _profile_settings()
    lock = acquire(STUDY_LOCK, this_process(), inheritable=True)
    _heal(plan, layout)
    # Safe path: a file torch.py beside params.yaml is no package.
    snakemake = [sys.executable, "-P", "-m", "snakemake"]
    if any(Path(".snakemake/locks").glob("*")):
        subprocess.run([*snakemake, "--unlock", "--quiet", "all"], check=True)
    command = [*snakemake, "--cores", str(cores), "--rerun-incomplete"]
    command += ["--logger", "lrtransfer"]
    # What is forced is made whatever the target: no training may follow from `prepare_all`.
    if not all(map(_BEFORE_TABLES.match, targets)) and (stale := stale_tables(plan, layout)):
        command += ["--forcerun", *stale]
    if overrides:
        # On the command line `--config` replaces a profile's, so that is repeated.
        said = {**settings, **overrides}
        command += ["--config", *(f"{name}={value}" for name, value in said.items())]
    environment = {**os.environ, **own_cache(), _LOCK_VARIABLE: str(lock.fileno())}
    if not environment.get(_PROFILE):
        environment.pop(_PROFILE, None)  # set but empty is no profile
    os.execve(sys.executable, [*command, "--", *targets], environment)


def this_process() -> str:
    """Return what a lock says of its holder."""
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {platform.node()}, started {started}"


def _heal(plan: Plan, layout: Layout) -> None:
    """Set aside what is damaged and date back what is of the future, saying so."""
    found = check_results(plan, layout)
    for error in found.damaged:
        kept = set_aside(error)
        print(
            f"warning: {error.path}: {error.problem}. Set aside as {kept}, to be made anew.",
            file=sys.stderr,
            flush=True,
        )
    if count := date_back(found.sound):
        print(
            f"warning: {count} results are dated after this machine's clock. Dated back: Snakemake "
            "would discard what is made of them. Is the clock right?",
            file=sys.stderr,
            flush=True,
        )


def _profile_settings() -> dict[str, Any]:
    """Return `config:` of the profile that the environment names.

    Raises:
        FileNotFoundError: It is no folder that can be read from here.
        ValueError: Its file is no mapping in YAML.
    """
    if not os.environ.get(_PROFILE):
        return {}
    profile = Path(os.environ[_PROFILE]) / "config.yaml"
    if not profile.is_file():
        raise FileNotFoundError(
            f"{_PROFILE} is {os.environ[_PROFILE]!r}, but there is no {profile}. Give the path of "
            "the profile's folder, as in profiles/slurm."
        )
    try:
        content = yaml.safe_load(profile.read_text(encoding="utf-8"))
        settings = content.get("config") or {}
        if isinstance(settings, list):
            settings = (setting.split("=", 1) for setting in settings)
        return dict(settings)
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        raise ValueError(
            f"{profile} ({_PROFILE}) is no mapping of Snakemake's options in YAML. Compare it with "
            "profiles/slurm/config.yaml."
        ) from None


def prepare_environment(overrides: Mapping[str, str]) -> None:
    """Set the variables of jobs that this process starts, and name it as their starter.

    The interpreter that runs Snakemake comes first in PATH, also where nothing was activated.

    Args:
        overrides: `scale` and `experiments` where they differ from params.yaml.
    """
    announce_starter()
    # Jobs are `python -m lrtransfer`, which would import torch.py of this folder before torch.
    os.environ["PYTHONSAFEPATH"] = "1"
    # The profile is for the Snakemake that submits jobs, not for the one inside a job.
    os.environ.pop("SNAKEMAKE_PROFILE", None)
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if path[0] != folder:
        os.environ["PATH"] = os.pathsep.join([folder, *path])
    for name in _OVERRIDES:
        if name in overrides:
            os.environ[_PREFIX + name.upper()] = overrides[name]
        else:
            os.environ.pop(_PREFIX + name.upper(), None)


def override(name: str) -> str | None:
    """Return what the starting process chose instead of params.yaml's `name`, if anything."""
    return os.environ.get(_PREFIX + name.upper()) or None


def cancel_orphans(wait_seconds: float = _WAIT_SECONDS) -> list[str]:
    """Cancel this folder's jobs of a killed Snakemake, wait for their end, return their numbers.

    Snakemake does not know them any more and would submit their work a second time. Cancelled, they
    save their state, and the new jobs go on from it.

    The caller holds the study's lock, so they are nobody else's. A job whose node does not answer
    may outlast the wait: its runs stay locked, and a new job for them fails and is tried again.
    """
    orphans = _jobs()
    if not orphans:
        return []
    print(f"cancelling jobs that were left behind: {' '.join(orphans)}", file=sys.stderr)
    subprocess.run(["scancel", *orphans], check=False)  # noqa: S607
    deadline = time.monotonic() + wait_seconds
    while (left := _jobs()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if left:
        print(f"warning: jobs {' '.join(left)} have not ended yet", file=sys.stderr)
    return orphans


def begin(layout: Layout) -> None:
    """Hold the study's lock until this Snakemake ends, and find its folders writable.

    Raises:
        SystemExit: Another study runs in this folder, or one cannot be written to; stderr names it.
    """
    try:
        _hold_lock()
        check_folders(layout, _LOGS)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def _hold_lock() -> None:
    """Hold the study's lock, unless `lrtransfer workflow` gave it to us.

    Without it a study that starts beside a bare Snakemake would clear that one's own locks away.
    """
    if not _inherited():
        _held.append(acquire(STUDY_LOCK, this_process()))


def _inherited() -> bool:
    given = os.environ.get(_LOCK_VARIABLE, "")
    try:
        return given.isdigit() and os.path.samestat(os.fstat(int(given)), STUDY_LOCK.stat())
    except OSError:
        return False


def _jobs() -> list[str]:
    """Return the numbers of the user's other jobs that belong to this folder."""
    squeue = shutil.which("squeue")
    if squeue is None:
        return []
    command = [squeue, "--me", "--noheader", "--format=%i|%j|%Z"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError):
        # No controller answers: nothing of ours can be asked for, or run, through it.
        return []
    found = []
    for line in listed.stdout.splitlines():
        number, name, folder = line.split("|", 2)
        ours = name.startswith(_JOB_NAME) and Path(folder).resolve() == Path.cwd().resolve()
        # A Snakemake that runs in a job itself is not its own orphan.
        if ours and number != os.environ.get("SLURM_JOB_ID"):
            found.append(number)
    return found


def wait_for_jobs(workflow: Any) -> None:
    """Let Snakemake look for work when a job ends, and not every second besides.

    Its limit of jobs a second makes it go over all waiting jobs and their files once a second, and
    once more for each job that has ended before (9.27): with forty jobs of 600 files a third of a
    core. On this machine `--cores` is the limit; on a cluster the limit stays.

    Args:
        workflow: Snakemake's, as the Snakefile sees it when it starts.
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


def watch(targets: Targets, overrides: Mapping[str, str], logs: Sequence[str]) -> None:
    """Tell the terminal how to foresee the training, and where the logs are.

    Args:
        targets: What the study asks for.
        overrides: `scale` and `experiments` where they differ from params.yaml.
        logs: Snakemake's own.
    """
    shown = terminal()
    shown.foresee = partial(forecast, targets)
    shown.options = [part for name, value in overrides.items() for part in (f"--{name}", value)]
    folder = f"{_LOGS}/{targets.layout.results}/"
    shown.logs = [folder, *(_linked(Path(log)) for log in logs[-1:])]


def _linked(log: Path) -> str:
    """Give Snakemake's own log a name that stays; where that fails it keeps its own."""
    name = _LOGS / "snakemake.log"
    try:
        name.parent.mkdir(exist_ok=True)
        name.unlink(missing_ok=True)
        name.symlink_to(os.path.relpath(log, name.parent))
    except OSError:
        return os.path.relpath(log)
    return str(name)
