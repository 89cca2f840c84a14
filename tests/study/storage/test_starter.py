"""A job knows whether the process that started it still runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lrtransfer.study.storage.starter import announce_starter, starter_lives


def test_without_a_named_starter_a_job_is_no_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LRTRANSFER_STARTER", raising=False)
    assert starter_lives()


def test_a_living_starter_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRTRANSFER_STARTER", "0")
    announce_starter()
    assert starter_lives()


@pytest.mark.process
def test_a_dead_starter_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setenv("LRTRANSFER_STARTER", str(gone.pid))
    assert not starter_lives()
