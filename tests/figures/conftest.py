"""One study, drawn once for all tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.figures import Drawn, draw, names

from . import synthetic

#: Figures of experiments on tuners, which this study is not.
TUNERS = (
    "greedy_against_on_edge",
    "tuned_model",
    "tuner_dynamics",
    "tuner_losses",
    "tuner_sweep",
)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    folder: Path = tmp_path_factory.mktemp("figures")
    tables, settings = synthetic.tables(), synthetic.settings()
    return {
        name: draw(name, tables, settings, folder)
        for name in names()
        # The same drawing as `width_transfer`, and those of test_tuner_figures.py.
        if name != "depth_transfer" and name not in TUNERS
    }
