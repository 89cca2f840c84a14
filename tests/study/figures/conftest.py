"""One study, drawn once for all tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtransfer.study.figures import Drawn, draw, names

from . import synthetic

#: Figures of experiments on tuners, which this study is not.
TUNERS = (
    "greedy_against_on_edge",
    "tuned_model",
    "tuner_dynamics",
    "tuner_losses",
    "tuner_sweep",
)


#: Figures of experiments on weight decay (test_weight_decay_figures.py).
OF_DECAY = (
    "decay_alignment",
    "decay_changes",
    "decay_transfer",
    "implicit_warmup",
    "late_updates",
)


#: Figures of experiments that compare many arms (test_predictors_figure.py).
OVER_ARMS = ("predictors",)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    folder: Path = tmp_path_factory.mktemp("figures")
    tables, settings = synthetic.tables(), synthetic.settings()
    # The same drawing as `width_transfer`, and those with tests and tables of their own.
    elsewhere = {"depth_transfer", *TUNERS, *OF_DECAY, *OVER_ARMS}
    chosen = [name for name in names() if name not in elsewhere]
    return {name: draw(name, tables, settings, folder) for name in chosen}
