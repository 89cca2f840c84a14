"""Runs whose learning rate a tuner chooses: what they log, what they cost, how they resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.optim import tuners
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from tests.tiny import blobs

from .configs import changed, configured
from .test_optimized_runs import CPU, interrupted, straight

SMALL: dict[str, dict[str, Any]] = {
    "cdat": {"sigma": 2.0, "decay": 0.9},
    "hypergradient": {"learning_rate": 0.1},
    "parabola_fit": {"learning_rate": 0.1},
}


def tuned(name: str, optimizer: str = "sgd", **changes: Any) -> RunConfig:
    """Return a configuration with a tuner, in float64."""
    options = {k: option.default for k, option in catalog.options("optim/tuners", name).items()}
    spec = {"name": name, "options": options | SMALL.get(name, {})}
    return configured(optimizer, **{"tuner": spec, "learning_rate": 1.0, **changes})


def without_average(config: RunConfig) -> RunConfig:
    """Return the configuration with a tuner that takes every curvature as it is."""
    assert config.tuner is not None
    return changed(config, tuner={"options": {**config.tuner.options, "decay": 0.0}})


def trained(config: RunConfig) -> Log:
    return TrainingRun(config, blobs(), CPU).execute(Hooks())


@pytest.mark.parametrize("name", catalog.names("optim/tuners"))
def test_a_resumed_run_is_bit_equal_with_every_tuner(name: str, tmp_path: Path) -> None:
    config = tuned(name)
    assert interrupted(config, blobs(), tmp_path / "state") == straight(config, blobs())


@pytest.mark.parametrize("optimizer", ["momentum", "adam", "rmsprop"])
def test_a_resumed_run_is_bit_equal_with_a_tuner_on_every_base(
    optimizer: str, tmp_path: Path
) -> None:
    config = tuned("cdat", optimizer)
    assert interrupted(config, blobs(), tmp_path / "state") == straight(config, blobs())


def test_a_constant_tuner_trains_like_no_tuner() -> None:
    tuner = {"name": "constant", "options": {"learning_rate": 1.0}}
    config = tuned("constant", "momentum", learning_rate=0.1, tuner=tuner)
    plain = replace(config, tuner=None)
    assert trained(config).losses == pytest.approx(trained(plain).losses, rel=1e-12)
    assert trained(config).learning_rates == [0.1] * 6


def test_the_learning_rate_is_a_factor_on_sigma() -> None:
    on_edge = without_average(tuned("cdat", learning_rate=0.5))
    greedy = tuned("greedy")
    assert trained(on_edge).losses == trained(greedy).losses
    assert trained(on_edge).learning_rates == trained(greedy).learning_rates


def test_a_schedule_multiplies_the_tuned_rate() -> None:
    options = {k: o.default for k, o in catalog.options("optim/schedules", "linear").items()}
    schedule = {"name": "linear", "options": options | {"warmup_steps": 2}}
    warmed = tuned("polyak", schedule=schedule)
    assert trained(warmed).learning_rates[0] < trained(tuned("polyak")).learning_rates[0]


def test_rates_on_the_log_are_those_that_moved_the_weights() -> None:
    config = tuned("cdat")
    run = TrainingRun(config, blobs(), CPU)
    seen: list[float] = []
    before = run.weights()

    def note(step: int, current: TrainingRun) -> None:
        nonlocal before
        after = current.weights()
        name, parameter = current.network.trained[0]
        moved = (after[name] - before[name]).norm()
        gradient = parameter.grad
        assert gradient is not None
        rate = current.network.relative_rates[name]
        seen.append(float(moved / (rate * gradient.norm())))
        before = after

    log = run.execute(Hooks(after_step=note))
    assert seen == pytest.approx(log.learning_rates, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "price"), [("constant", 1.0), ("cdat", 3.0), ("polyak", 1.0), ("parabola_fit", 5 / 3)]
)
def test_the_price_of_a_step_is_counted(name: str, price: float) -> None:
    rows = trained(tuned(name)).rows
    assert rows[0]["gradient_evaluations"] == 0.0
    assert rows[6]["gradient_evaluations"] == pytest.approx(6 * price)


def test_every_step_logs_rate_and_cosine() -> None:
    log = trained(tuned("cdat"))
    assert [log.rows[step]["rate"] for step in range(6)] == log.learning_rates
    assert all(-1 <= log.rows[step]["update_cosine"] <= 1 for step in range(1, 6))
    config = without_average(tuned("cdat"))
    plain = trained(config)
    # Where the curvature is negative, CDAT takes its absolute value.
    products = [abs(plain.rows[s]["rate"] * plain.rows[s]["step_sharpness"]) for s in range(6)]
    assert products == pytest.approx([2.0] * 6)


def test_a_loss_that_is_not_finite_ends_the_run_at_that_step() -> None:
    config = tuned("constant", loss="squared", learning_rate=1e200)
    log = trained(config)
    assert log.diverged_step is not None
    assert len(log.losses) == len(log.learning_rates) == log.diverged_step - 1
    assert max(log.rows) == log.diverged_step - 1
    assert all(torch.isfinite(torch.tensor(log.losses)))


def test_a_run_sees_the_samples_it_is_given() -> None:
    config = changed(configured(train_samples=12, batch_size=12), measure={"samples": 12})
    run = TrainingRun(config, blobs(), CPU)
    assert len(run.examples) == 12
    other = TrainingRun(replace(config, seed=5), blobs(), CPU)
    first = torch.arange(12)
    inputs, _ = run.examples.batch(first)
    assert not torch.equal(inputs, other.examples.batch(first)[0])
    larger = TrainingRun(replace(config, train_samples=20), blobs(), CPU)
    assert torch.equal(larger.examples.batch(first)[0], inputs)


def test_more_samples_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="train_samples is 1000"):
        TrainingRun(configured(train_samples=1000), blobs(), CPU)


def test_a_tuner_shares_its_groups_with_the_run() -> None:
    run = TrainingRun(tuned("cdat"), blobs(), CPU)
    assert run.tuned is not None
    assert isinstance(run.tuned.tuner, tuners.cdat.CDAT)  # type: ignore[attr-defined]
    assert run.tuned.tuner.base is run.optimizer
