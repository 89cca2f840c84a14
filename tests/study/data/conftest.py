"""Fixtures of the data tests: a loopback server, an empty working folder, the shared real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.study.data.server import Served, serving


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return a server; the test runs in an empty folder, where the cache is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Waiting between attempts is for real networks.
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    with serving() as served:
        yield served


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real archives that LRTRANSFER_SHARED_DATA names."""
    folder = os.environ.get("LRTRANSFER_SHARED_DATA")
    if not folder:
        pytest.skip("set LRTRANSFER_SHARED_DATA to a folder with the real archives")
    return Path(folder)
