"""The same run on one machine: bit-equal with the same threads, near it with others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from tests.study.training.configs import changed
from tests.tiny import tiny_run

# Of losses and measured quantities in float32: sums are split otherwise among other threads.
TOLERANCE = 1e-4
_SAMPLES, _FEATURES, _CLASSES = 256, 128, 10


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _log(threads: int) -> Log:
    """Train a net large enough for torch to share its products among threads."""
    torch.set_num_threads(threads)
    draw = np.random.default_rng(0)
    data = {
        "train_inputs": draw.normal(size=(_SAMPLES, _FEATURES)).astype("float32"),
        "train_targets": draw.integers(_CLASSES, size=_SAMPLES),
    }
    # Two measurements: threads that wait for a busy core make each product dear.
    run = tiny_run(widths=[128], batch_size=128)
    measure = {"samples": 128, "probes": ["sharpness"], "steps": [0, 6]}
    config = changed(run.config, measure=measure)
    return TrainingRun(config, data, torch.device("cpu")).execute(Hooks())


def test_the_same_threads_give_the_same_bits() -> None:
    first, second = _log(2), _log(2)
    assert first.losses == second.losses
    assert first.rows == second.rows


def test_other_threads_give_the_same_run_within_the_tolerance() -> None:
    one, other = _log(1), _log(2)
    np.testing.assert_allclose(other.losses, one.losses, rtol=TOLERANCE)
    assert one.rows.keys() == other.rows.keys()
    for step, row in one.rows.items():
        assert other.rows[step] == pytest.approx(row, rel=TOLERANCE, nan_ok=True)
