"""Runs of several rates and seeds that train as one equal the same runs one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.batched import BatchedRuns
from lrtransfer.study.training.run import DIVERGENCE_INTERVAL, Hooks, Log, TrainingRun
from tests.study.training.configs import changed, configured, images, language_model, text
from tests.tiny import blobs

CPU = torch.device("cpu")
STEPS = 20


def of_rates_and_seeds(config: RunConfig, **changes: Any) -> list[RunConfig]:
    """Return six runs: three rates, below the edge, of two seeds."""
    own = changed(replace(config, measure=None, batched=8), **{"steps": STEPS, **changes})
    rates = (own.learning_rate, own.learning_rate / 4, own.learning_rate / 64)
    return [replace(own, learning_rate=rate, seed=seed) for rate in rates for seed in (0, 1)]


def together(configs: list[RunConfig], arrays: Arrays) -> tuple[list[Log], list[dict[str, Any]]]:
    batch = BatchedRuns(configs, arrays, CPU)
    logs = batch.execute(lambda step: None)
    return logs, [run.weights() for run in batch.runs]


def alone(config: RunConfig, arrays: Arrays) -> tuple[Log, dict[str, Any]]:
    run = TrainingRun(replace(config, compile=None), arrays, CPU)
    return run.execute(Hooks()), run.weights()


def assert_equal(configs: list[RunConfig], arrays: Arrays) -> None:
    """To 1e-10 in losses, rates and weights; no two runs may be alike, or it says little."""
    logs, weights = together(configs, arrays)
    for config, log, own in zip(configs, logs, weights, strict=True):
        expected, its_weights = alone(config, arrays)
        assert len(expected.losses) == STEPS
        assert log.losses == pytest.approx(expected.losses, rel=1e-10, abs=1e-12)
        assert log.learning_rates == expected.learning_rates
        assert (log.diverged_step, log.rows, log.measuring) == (None, {}, 0.0)
        torch.testing.assert_close(own, its_weights, rtol=1e-10, atol=1e-10)
    assert len({log.losses[-1] for log in logs}) == len(configs)


@pytest.mark.parametrize("parameterization", ["mup", "sp"])
@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "adam", "adamw", "rmsprop", "lion", "adopt"]
)
def test_an_mlp(optimizer: str, parameterization: str) -> None:
    config = configured(optimizer, parameterization=parameterization)
    assert_equal(of_rates_and_seeds(config), blobs())


@pytest.mark.parametrize("parameterization", ["mup", "sp"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_a_transformer(optimizer: str, parameterization: str) -> None:
    config = configured(optimizer, parameterization=parameterization)
    model = language_model().model
    schedule = {"name": "cosine", "options": {"warmup_fraction": 0.2}}
    rate = config.learning_rate / 8
    configs = of_rates_and_seeds(replace(config, model=model), schedule=schedule)
    assert_equal([replace(c, learning_rate=c.learning_rate * rate) for c in configs], text())


def test_a_convolutional_net_with_shifted_images_of_which_the_readout_alone_is_trained() -> None:
    options = {"image_size": 8, "stride": 1, "activation": "tanh", "norm": "layer"}
    model = {"family": "residual_convnet", "width": 3, "depth": 3, "options": options}
    config = configured("adamw", model=model, augmentation="crop_flip", batch_size=6)
    assert_equal(of_rates_and_seeds(config), images())
    assert_equal(of_rates_and_seeds(replace(config, trained="output")), images())


def test_decay_that_does_not_go_with_the_rate_is_each_run_s_own() -> None:
    rule = {"rule": "lr_independent", "power": None, "unscaled": ["hidden"]}
    rule |= {"faster": [], "undecayed": []}
    warmup = {"name": "exponential", "fraction": 0.5}
    config = configured("adamw", parameterization="mup_table3", decay=rule, group_warmup=warmup)
    assert_equal(of_rates_and_seeds(config), blobs())


def exploding(rate: float) -> RunConfig:
    """Return a run whose activations are not bounded."""
    options = configured().model.options
    return changed(
        configured(), learning_rate=rate, model={"options": {**options, "activation": "relu"}}
    )


@pytest.mark.parametrize("rate", [1e2, 1e200])
def test_a_run_that_diverges_is_logged_as_by_itself_and_leaves_the_others_alone(
    rate: float,
) -> None:
    """At 1e200 in the second step; at 100, in float64, not within the run for all that."""
    calm = of_rates_and_seeds(exploding(0.3))
    wild = [replace(config, learning_rate=rate) for config in calm[:2]]
    configs = [wild[0], *calm, wild[1]]
    logs, _ = together(configs, blobs())
    expected = [alone(config, blobs())[0] for config in configs]
    assert [log.diverged_step for log in logs] == [log.diverged_step for log in expected]
    assert [log.status for log in logs] == [log.status for log in expected]
    for log, own in zip(logs, expected, strict=True):
        assert log.losses == pytest.approx(own.losses, rel=1e-6)
        assert log.learning_rates == own.learning_rates
    assert [len(log.losses) for log in logs[1:-1]] == [STEPS] * len(calm)
    if rate == 1e200:
        assert {log.status for log in (logs[0], logs[-1])} == {"diverged"}


def test_it_ends_where_all_have_diverged() -> None:
    wild = of_rates_and_seeds(exploding(1e202), steps=200)
    seen: list[int] = []
    logs = BatchedRuns(wild, blobs(), CPU).execute(seen.append)
    assert seen[-1] == DIVERGENCE_INTERVAL
    assert [log.diverged_step for log in logs] == [
        alone(config, blobs())[0].diverged_step for config in wild
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_bfloat16_and_fused_kernels_do_as_in_a_run_by_itself(optimizer: str) -> None:
    """The first loss is of the same weights; bfloat16 rounds it by up to one part in 256."""
    mixed = of_rates_and_seeds(changed(configured(optimizer), precision="bfloat16", fused=True))
    plain = [replace(config, precision="float32", fused=None) for config in mixed]
    for own, single, log, other in zip(
        mixed, plain, together(mixed, blobs())[0], together(plain, blobs())[0], strict=True
    ):
        assert log.losses[0] == pytest.approx(alone(own, blobs())[0].losses[0], rel=2**-8)
        assert log.losses[0] != other.losses[0]
        assert other.losses == pytest.approx(alone(single, blobs())[0].losses, rel=1e-3)


@pytest.mark.slow
@pytest.mark.process
def test_the_compiled_pass_gives_the_same_losses() -> None:
    configs = of_rates_and_seeds(changed(configured("sgd"), compile="default"))
    assert_equal(configs, blobs())


def test_batch_norm_is_refused() -> None:
    options = {"image_size": 8, "stride": 1, "activation": "tanh", "norm": "batch"}
    model = {"family": "residual_convnet", "width": 3, "depth": 3, "options": options}
    config = configured("sgd", model=model, batch_size=6)
    with pytest.raises(ValueError, match=r"batch norm \(.*\), .* batched is 8"):
        BatchedRuns(of_rates_and_seeds(config), images(), CPU)
