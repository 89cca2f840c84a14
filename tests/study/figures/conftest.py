"""One study, drawn once for all tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.tables import Drawn
from lrtransfer.study.plan import catalog
from tests.ink import without_ink

from . import synthetic


def drawn_from(*studies: str) -> list[str]:
    """Return the figures that say they are drawn from one of these studies."""
    every = catalog.names("figures")
    return [n for n in every if catalog.constant("figures", n, "DRAWN_FROM") in studies]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    folder: Path = tmp_path_factory.mktemp("figures")
    tables, settings = synthetic.tables(), synthetic.settings()
    return {n: draw(n, tables, settings, folder) for n in drawn_from("runs", "measured")}


@pytest.fixture
def inkless(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ink(monkeypatch)
