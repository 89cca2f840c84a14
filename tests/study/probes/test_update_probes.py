"""What the probes of single matrices log, against the weights of the run."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.study.training.configs import configured
from tests.tiny import blobs


def test_rates_and_singular_values_are_those_of_the_runs_weights() -> None:
    config = configured("adam", probes=["effective_rate", "singular_values"])
    run = TrainingRun(config, blobs(), torch.device("cpu"))
    weights: dict[int, dict[str, Tensor]] = {0: run.weights()}
    rates: dict[int, dict[str, float]] = {}

    def after_step(step: int, current: TrainingRun) -> None:
        weights[step] = current.weights()
        rates[step] = {g["name"]: float(g["lr"]) for g in current.optimizer.param_groups}

    log = run.execute(Hooks(after_step=after_step))
    hidden = [n for n, role in run.network.roles.tensors.items() if role == "hidden"]
    assert math.isnan(log.rows[0]["effective_rate"])
    for step in sorted(log.rows)[1:]:
        row = log.rows[step]
        for name, weight in weights[step].items():
            before = weights[step - 1][name]
            own = rates[step][name] / float(before.norm())
            assert row[f"effective_rate/{name}"] == pytest.approx(own)
            values, moved = torch.linalg.svdvals(weight), torch.linalg.svdvals(weight - before)
            assert row[f"singular_value/{name}"] == pytest.approx(float(values[0]))
            assert row[f"singular_value_2/{name}"] == pytest.approx(float(values[1]))
            assert row[f"update_singular_value/{name}"] == pytest.approx(float(moved[0]))
            scale = math.sqrt(len(weight) / weight[0].numel())
            assert row[f"spectral_update/{name}"] == pytest.approx(float(moved[0]) / scale)
        pooled = math.prod(row[f"effective_rate/{n}"] for n in hidden) ** (1 / len(hidden))
        assert row["effective_rate"] == pytest.approx(pooled)
