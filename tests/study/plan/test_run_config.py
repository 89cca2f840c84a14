"""A configuration as JSON: what is written, what is left out, what is refused."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.run_config import NamedConfig, RunConfig
from tests.tiny import real_params, tiny_run


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_every_configuration_of_the_repository_is_read_back_from_its_json(scale: str) -> None:
    runs = plan(parse_study(real_params() | {"scale": scale, "experiments": "all"})).runs
    for config in {run.key: run.config for run in runs[::7]}.values():
        assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_an_option_that_a_run_goes_without_is_left_out() -> None:
    config = tiny_run().config
    absent = {"augmentation", "decay", "group_warmup", "one_pass", "trained", "train_samples"}
    assert not (absent | {"tuner", "replay", "horizon"}) & config.to_json().keys()
    given = replace(config, one_pass=True, tuner=NamedConfig(name="cdat", options={}))
    assert given.to_json().keys() - config.to_json().keys() == {"one_pass", "tuner"}


def test_an_unmeasured_run_says_so() -> None:
    assert tiny_run(measured=False).config.to_json()["measure"] is None
    assert tiny_run().config.to_json()["measure"].keys() == {
        "probes",
        "samples",
        "tolerance",
        "steps",
    }


def test_a_configuration_cannot_be_changed_in_place() -> None:
    config: Any = tiny_run().config
    with pytest.raises(FrozenInstanceError):
        config.steps = 7
    with pytest.raises((AttributeError, TypeError)):
        config.extra = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 0}, "has schema 0, this version reads 1"),
        ({"momentum": 0.9}, "does not fit this version .*momentum"),
        ({"optimizer": {"name": "sgd"}}, "does not fit this version .*options"),
    ],
)
def test_another_version_s_configuration_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig.from_json(tiny_run().config.to_json() | change)
