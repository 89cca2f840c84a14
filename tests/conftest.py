"""What all tests share: the tier that each keeps to, and one finished tiny study.

A test that starts a process, or takes two seconds of a processor, says so by a mark, and
`make test-fast` leaves it out. The first is held always, the second with `--hold-seconds`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from filelock import FileLock
from xdist.scheduler import LoadFileScheduling

from tests.study.workflow.project import Project

MAY_START = ("process", "workflow", "slurm", "s3")
MAY_TAKE_LONG = ("slow", "long", *MAY_START)
STARTERS = (
    "subprocess.Popen.__init__",
    "multiprocessing.util.spawnv_passfds",
    *(f"os.{name}" for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")),
)
SECONDS = 2.0
SLURM = "tests/study/slurm/"
STARTED = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that makes a slow test without its mark a failure."""
    text = f"fail a test that took over {SECONDS:g} s of a processor and is not marked slow"
    parser.addoption("--hold-seconds", action="store_true", help=text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes longest, so that no worker is left alone with it at the end."""
    first = ("slurm", "workflow", "slow")
    items.sort(key=lambda item: [not marked(item, (name,)) for name in first])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Give each worker whole files, whose tests share what is dear, and one worker all of Slurm."""
    made = LoadFileScheduling(config, log)
    made._split_scope = lambda name: SLURM if name.startswith(SLURM) else name.split("::")[0]
    return made


def marked(item: pytest.Item, names: tuple[str, ...]) -> bool:
    """Return whether a test has one of these marks."""
    return any(item.get_closest_marker(name) for name in names)


def refused(*_: object, **__: object) -> NoReturn:
    """Stand for what starts a process in a test that is not marked."""
    pytest.fail("the test starts a process: mark it @pytest.mark.process")


def starting_nothing(item: pytest.Item) -> Generator[None, None, None]:
    """Refuse processes to a test without the mark; what a session shares may end by one."""
    with pytest.MonkeyPatch.context() as patch:
        if not marked(item, MAY_START):
            for name in STARTERS:
                patch.setattr(name, refused)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Start the clock, and make the test's fixtures."""
    item.stash[STARTED] = time.process_time()
    yield from starting_nothing(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Run the test."""
    yield from starting_nothing(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the seconds of a slow test that is not marked, its fixtures included."""
    report = yield
    seconds = time.process_time() - item.stash[STARTED]
    if report.when == "call" and seconds > SECONDS and not marked(item, MAY_TAKE_LONG):
        report.user_properties.append(("seconds", seconds))
        if item.config.getoption("hold_seconds") and report.passed:
            report.outcome = "failed"
            report.longrepr = (
                f"{seconds:.1f} s of a processor: make it faster or mark it @pytest.mark.slow"
            )
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the slow tests that are not marked."""
    for report in terminalreporter.stats.get("passed", []):
        for _, seconds in report.user_properties:
            terminalreporter.write_line(f"SLOW {report.nodeid}: {seconds:.1f} s of a processor")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose whole study has run, once for all workers. Tests take a copy."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made = Project(folder / "finished")
    with FileLock(folder / "finished.lock"):
        if not made.root.exists():
            begun = Project.create(folder / "begun")
            begun.study()
            assert len(begun.trained()) == 4
            begun.root.rename(made.root)
    return made


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """Return a copy of the finished study that a test may change."""
    return finished.duplicate(tmp_path / "project")


@pytest.fixture
def untrained(finished: Project, tmp_path: Path) -> Project:
    """Return a project with prepared data and no run."""
    return finished.with_data_alone(tmp_path / "project")
