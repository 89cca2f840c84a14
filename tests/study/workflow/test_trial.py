"""Trials of updates: which are made, on what, and what is said where none can be made."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.run_config import ModelConfig, RunConfig
from lrtransfer.study.workflow import trial
from lrtransfer.study.workflow.start import select
from lrtransfer.study.workflow.trial import Machine
from tests.tiny import ROOT, tiny_plan, tiny_run

SIZES = (784, 10)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[RunConfig]:
    """Stand-ins of trials, each of one second; the configurations that were tried."""
    made: list[RunConfig] = []

    def one_second(config: RunConfig, sizes: Any) -> float:
        made.append(config)
        return 1.0

    monkeypatch.setattr(trial, "_try", one_second)
    return made


def test_runs_that_differ_in_rates_and_seeds_alone_are_tried_once(tried: list[RunConfig]) -> None:
    machine = Machine()
    for run in tiny_plan().runs:
        machine.update(run.config, SIZES)
    assert [config.model.width for config in tried] == [4, 6]


def test_a_large_batch_is_tried_on_fewer_samples(tried: list[RunConfig]) -> None:
    config = replace(tiny_run().config, batch_size=10**6)
    seconds = Machine().update(config, SIZES)
    assert tried[0].batch_size < 10**6
    assert seconds == pytest.approx(10**6 / tried[0].batch_size)


def test_a_model_too_large_to_try_is_priced_by_its_operations(tried: list[RunConfig]) -> None:
    config = tiny_run().config
    wide = replace(config, model=replace(config.model, width=20_000))
    machine = Machine()
    assert machine.update(replace(wide, batch_size=64), SIZES) == pytest.approx(
        8 * machine.update(wide, SIZES)
    )
    assert tried == []


@pytest.mark.parametrize(
    ("experiment", "sizes"),
    [
        ("depth_transfer_vit", SIZES),
        ("width_transfer_gpt", (1, 256)),
        ("two_layer_linear", (100, 1)),
    ],
)
def test_each_kind_of_data_can_be_tried(experiment: str, sizes: tuple[int, int]) -> None:
    config = _smoke().part(experiment).runs[0].config
    assert trial._try(replace(config, batch_size=2), sizes)


@cache
def _smoke() -> Plan:
    return select(ROOT / "params.yaml", "smoke", "all").plan


def test_an_estimate_survives_a_loss_that_wants_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> Any:
        raise AttributeError("a mask is missing")

    monkeypatch.setattr(trial, "TrainingRun", refuse)
    assert Machine().update(tiny_run().config, SIZES) > 0


def test_trials_leave_the_random_state_as_it_is() -> None:
    before = torch.get_rng_state()
    Machine().update(tiny_run().config, SIZES)
    assert torch.equal(torch.get_rng_state(), before)


def test_operations_are_counted_for_a_whole_gradient() -> None:
    model = ModelConfig(family="two_layer_linear", options={}, width=8, depth=1)
    flops, parameters = trial.count(model, (100, 1))
    assert flops == 6 * parameters == 6 * 8 * 101
