"""A run's weight-decay rule and warm-up: what each tensor is stepped and shrunk by."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.tiny import EXPERIMENT, tiny_grid, tiny_params

from .configs import changed, configured, rules, text

CPU = torch.device("cpu")
WIDTH, BASE, RATE, DECAY = 16, 4, 0.02, 0.3
M = WIDTH / BASE
NONE: dict[str, Any] = {"power": None, "unscaled": [], "faster": [], "undecayed": []}
HIDDEN, OUTPUT = "branches.1.1.expand.weight", "readout.weight"
EMBEDDING, GAIN = "embed.weight", "final_norm.gain.weight"


def language_model(rule: str, *, warmup: float | None = None, **own: Any) -> RunConfig:
    """Return the configuration of a small LLaMA-like net with a rule."""
    options = {"head_size": 4, "block_size": 8, "mlp_ratio": 1}
    config = configured(
        "adamw",
        probes=["alignment"],
        model={"family": "llama", "width": WIDTH, "depth": 2, "options": options},
        learning_rate=RATE,
        decay=NONE | {"rule": rule} | own,
    )
    constants = {**config.parameterization.constants, "base_width": BASE}
    parameterization = {"rules": rules("mup_table3", "adamw"), "constants": constants}
    optimizer = {"options": {"weight_decay": DECAY}}
    config = changed(config, parameterization=parameterization, optimizer=optimizer)
    if warmup is None:
        return config
    return changed(config, group_warmup={"name": "exponential", "fraction": warmup})


def groups(config: RunConfig, step: int = 0) -> dict[str, tuple[float, float]]:
    """Return (learning rate, share removed) of each tensor in update ``step`` (0-based)."""
    run, found = TrainingRun(config, text(), CPU), {}

    def after_step(done: int, current: TrainingRun) -> None:
        if done == step + 1:
            names = {id(parameter): name for name, parameter in current.network.trained}
            for group in current.optimizer.param_groups:
                for parameter in group["params"]:
                    held = (group["lr"], group["lr"] * group["weight_decay"])
                    found[names[id(parameter)]] = held

    run.execute(Hooks(after_step=after_step))
    return found


@pytest.mark.parametrize(
    ("rule", "own", "rate", "share"),
    [
        ("standard", {}, RATE / M, RATE / M * DECAY),
        ("independent", {}, RATE / M, RATE * DECAY),
        ("power", {"power": 0.5}, RATE / M, RATE * DECAY / M**0.5),
        ("lr_independent", {}, RATE / M, DECAY),
        ("none", {}, RATE / M, 0.0),
        ("standard", {"unscaled": ["hidden", "output"]}, RATE, RATE * DECAY),
        ("standard", {"undecayed": ["hidden", "output"]}, RATE / M, 0.0),
    ],
)
def test_matrices_step_and_shrink_as_the_rule_says(
    rule: str, own: dict[str, Any], rate: float, share: float
) -> None:
    found = groups(language_model(rule, **own))
    for name in (HIDDEN, OUTPUT):
        assert found[name] == pytest.approx((rate, share), rel=1e-12)


def test_vectors_keep_the_base_s_numbers_and_a_faster_role_gets_the_width() -> None:
    found = groups(language_model("independent", faster=["embedding"], undecayed=["norm_gain"]))
    assert found[EMBEDDING] == pytest.approx((RATE * M, RATE * DECAY), rel=1e-12)
    assert found[GAIN] == pytest.approx((RATE, 0.0), rel=1e-12)


def test_the_warm_up_takes_unscaled_tensors_from_one_over_m_to_their_own_rate() -> None:
    config = language_model("standard", unscaled=["hidden"], warmup=0.5)
    assert config.steps == 6
    for step, factor in ((0, 1 / M), (1, M ** (1 / 3 - 1)), (3, 1.0), (5, 1.0)):
        found = groups(config, step)
        assert found[HIDDEN][0] == pytest.approx(RATE * factor, rel=1e-12)
        assert found[HIDDEN][1] == pytest.approx(RATE * factor * DECAY, rel=1e-12)
        assert found[OUTPUT][0] == pytest.approx(RATE / M, rel=1e-12), "not unscaled"
        assert found[EMBEDDING][0] == pytest.approx(RATE, rel=1e-12)


def test_a_warm_up_of_less_than_an_update_is_refused() -> None:
    with pytest.raises(ValueError, match="of 6 steps is less than one"):
        groups(language_model("standard", unscaled=["hidden"], warmup=0.01))


def test_at_the_base_width_all_rules_but_their_own_base_agree() -> None:
    found = []
    for rule, own in (("standard", {}), ("independent", {}), ("power", {"power": 0.5})):
        config = changed(language_model(rule, **own), model={"width": BASE})
        found.append(TrainingRun(config, text(), CPU).execute(Hooks()).losses)
    assert found[0] == found[1] == found[2]


def test_first_updates_differ_by_m_between_scaled_and_unscaled_rates() -> None:
    scaled = TrainingRun(language_model("independent"), text(), CPU).execute(Hooks())
    config = language_model("independent", unscaled=["hidden", "output"])
    unscaled = TrainingRun(config, text(), CPU).execute(Hooks())
    column = "relative_update_without_decay"
    assert unscaled.rows[1][column] / scaled.rows[1][column] == pytest.approx(M, rel=1e-6)
    assert scaled.rows[1]["hidden_rate"] == pytest.approx(RATE / M)
    assert scaled.rows[1]["hidden_share"] == pytest.approx(RATE * DECAY)
    assert scaled.rows[1]["layer_fan_in"] == WIDTH
    assert scaled.rows[1]["layer_samples"] == config.batch_size * 8


def test_a_run_of_one_pass_that_would_see_a_sample_twice_is_refused() -> None:
    config = changed(language_model("none"), one_pass=True)
    assert TrainingRun(config, text(), CPU).execute(Hooks()).status == "ok", "48 of 49 blocks"
    with pytest.raises(ValueError, match="7 steps of 8 need 56 samples for one pass"):
        TrainingRun(changed(config, steps=7), text(), CPU)


def test_the_plan_resolves_an_arm_s_rule_before_the_experiment_s() -> None:
    content = tiny_params()
    experiment = content["study"][EXPERIMENT]
    experiment["optimizer"] = {"adamw": {"weight_decay": 0.1}}
    experiment["decay"] = {"rule": "independent", "undecayed": ["output", "input"]}
    experiment["one_pass"] = True
    experiment["arms"]["sp"] |= {
        "decay": {"rule": "standard", "unscaled": ["hidden"]},
        "group_warmup": {"name": "exponential", "fraction": 0.5},
    }
    grid = tiny_grid(content)
    grid["constants"] = {"base_width": 2}
    for arm, decay, rate in (("mup", 0.2, 0.25), ("ntp", 0.3, 4.0), ("sp", 0.4, 0.015625)):
        grid["arms"][arm] |= {"weight_decay": decay, "measured_at": rate}
    runs = plan(parse_study(content)).runs
    configs = {run.arm: run.config.to_json() for run in runs}
    assert {(run.arm, run.learning_rate) for run in runs if run.measured} == {
        ("mup", 0.25),
        ("ntp", 4.0),
        ("sp", 0.015625),
    }
    assert configs["mup"]["parameterization"]["constants"]["base_width"] == 2
    assert configs["mup"]["decay"] == NONE | {
        "rule": "independent",
        "undecayed": ["input", "output"],
    }
    assert "group_warmup" not in configs["mup"]
    assert configs["mup"]["optimizer"]["options"]["weight_decay"] == 0.2
    assert configs["sp"]["optimizer"]["options"]["weight_decay"] == 0.4
    assert configs["sp"]["decay"] == NONE | {
        "rule": "standard",
        "unscaled": ["hidden"],
        "undecayed": ["input", "output"],
    }
    assert configs["sp"]["group_warmup"] == {"name": "exponential", "fraction": 0.5}
    assert configs["sp"]["one_pass"] is True
