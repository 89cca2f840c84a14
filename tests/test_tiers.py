"""Tests keep to their tier: see `tests/conftest.py`."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import SECONDS, pytest_runtest_makereport

WAYS: dict[str, Callable[[], object]] = {
    "subprocess": lambda: subprocess.run(["true"], check=True),
    "spawn": lambda: multiprocessing.get_context("spawn").Process().start(),
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "shell": lambda: os.system("true"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_test_without_the_mark_starts_no_process(way: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"mark it @pytest\.mark\.process"):
        WAYS[way]()


@pytest.fixture
def ending() -> Iterator[None]:
    yield
    assert subprocess.run(["true"], check=True).returncode == 0


def test_what_ends_after_a_test_may_start_one(ending: None) -> None:
    pass


@pytest.mark.process
def test_a_test_with_the_mark_does() -> None:
    assert subprocess.run(["true"], check=True).returncode == 0


@pytest.mark.parametrize(("seconds", "names"), [(0.0, []), (SECONDS + 1, ["seconds"])])
def test_a_slow_test_without_its_mark_is_noted(
    seconds: float,
    names: list[str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = pytest.TestReport("name", ("file", 1, "name"), {}, "passed", None, "call")
    hook = pytest_runtest_makereport(request.node)
    next(hook)
    with monkeypatch.context() as patch:
        now = time.process_time()
        patch.setattr(time, "process_time", lambda: now + seconds)
        with pytest.raises(StopIteration):
            hook.send(made)
    assert [name for name, _ in made.user_properties] == names
    assert made.failed == bool(names and request.config.getoption("hold_seconds"))
