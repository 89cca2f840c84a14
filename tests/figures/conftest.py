"""One study, drawn once for all tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.figures import Drawn, draw, names

from . import synthetic


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    folder: Path = tmp_path_factory.mktemp("figures")
    tables, settings = synthetic.tables(), synthetic.settings()
    others = {"decay_alignment", "decay_changes", "implicit_warmup", "late_updates"}
    chosen = [name for name in names() if name not in others | {"depth_transfer"}]
    return {name: draw(name, tables, settings, folder) for name in chosen}
