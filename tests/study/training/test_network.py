"""A run's network: what is scaled, and what is trained."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.scaling.apply import UnknownRoleError
from lrtransfer.study.training.network import block_size, run_network

from .configs import changed, configured, language_model

CPU = torch.device("cpu")


def test_every_tensor_is_trained_unless_told_otherwise() -> None:
    made = run_network(configured(), 5, 3, CPU)
    assert [name for name, _ in made.trained] == [n for n, _ in made.model.named_parameters()]
    assert made.relative_rates == {name: made.scaled[name].learning_rate for name in made.scaled}
    assert set(made.relative_rates.values()) == {2.0}, "N/N₀ is 4/2"


def test_random_features_train_the_readout_alone_from_the_same_weights() -> None:
    whole = run_network(configured(), 5, 3, CPU)
    features = run_network(configured(trained="output"), 5, 3, CPU)
    assert [name for name, _ in features.trained] == ["readout.weight"]
    assert features.relative_rates == {"readout.weight": 2.0}
    assert features.scaled == whole.scaled
    for ours, theirs in zip(features.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_precision_is_the_run_s_and_the_weights_are_those_of_float64() -> None:
    double = run_network(configured(), 5, 3, CPU).model
    single = run_network(configured(precision="float32"), 5, 3, CPU).model
    for exact, rounded in zip(double.parameters(), single.parameters(), strict=True):
        assert (exact.dtype, rounded.dtype) == (torch.float64, torch.float32)
        assert torch.equal(exact.float(), rounded)


def test_tokens_have_the_block_of_the_model_and_numbers_have_none() -> None:
    assert block_size(language_model().model) == 8
    assert block_size(configured().model) is None


def test_a_role_that_the_table_lacks_is_named() -> None:
    rules = {r: rule for r, rule in configured().parameterization.rules.items() if r != "hidden"}
    config = changed(configured(), parameterization={"rules": rules})
    with pytest.raises(UnknownRoleError, match=r"branches\.0.*'hidden'"):
        run_network(config, 5, 3, CPU)
