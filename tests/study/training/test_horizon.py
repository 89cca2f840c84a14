"""Runs of another batch and duration than those they were tuned at."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.training.run import TrainingRun
from tests.tiny import EXPERIMENT, blobs, tiny_params

from .configs import changed, configured

CPU = torch.device("cpu")


def numbers(run: TrainingRun) -> dict[str, tuple[float, float, float]]:
    """Return rate, decay and ε of each tensor's group, as the next update has them."""
    run.set_rates()
    groups = run.optimizer.param_groups
    return {g["name"]: (g["lr"], g["weight_decay"], g["eps"]) for g in groups}


def test_every_group_has_the_numbers_of_the_sde_rule() -> None:
    config = configured("adamw", probes=["norms"])
    base = numbers(TrainingRun(config, blobs(), CPU))
    rule = {"rule": "sde", "batch": 4.0, "duration": 1.0}
    for name, found in numbers(TrainingRun(changed(config, horizon=rule), blobs(), CPU)).items():
        lr, decay, epsilon = base[name]
        assert found == pytest.approx((2 * lr, 2 * decay, epsilon / 2)), name


def test_of_matrices_of_fixed_norm_and_the_rest_each_has_its_own_law() -> None:
    config = changed(configured("muonh", probes=["norms"]), optimizer={"options": {}})
    base = TrainingRun(config, blobs(), CPU)
    rule = {"rule": "hyper_p", "batch": 4.0, "duration": 16.0}
    longer = TrainingRun(changed(config, horizon=rule), blobs(), CPU)
    roles = base.network.roles.tensors
    for name, (lr, _, _) in numbers(longer).items():
        factor = 2.0 * 16.0**-0.32 if roles[name] == "hidden" else 0.5
        assert lr == pytest.approx(factor * numbers(base)[name][0]), name


def test_the_plan_tells_batch_duration_and_betas() -> None:
    content = tiny_params()
    experiment = content["study"][EXPERIMENT]
    experiment["optimizer"] = {"adamw": {"weight_decay": 0.1, "beta2": 0.95}}
    before = {run.arm: run.config for run in plan(parse_study(content)).runs}
    batch, steps = before["mup"].batch_size, before["mup"].steps
    own = {"rule": "sde", "batch_size": batch // 2, "steps": steps * 2}
    experiment["arms"]["mup"]["horizon"] = own
    runs = {run.arm: run for run in plan(parse_study(content)).runs}
    assert runs["mup"].config.to_json()["horizon"] == {
        "rule": "sde",
        "batch": 2.0,
        "duration": 1.0,
    }
    options = runs["mup"].config.optimizer.options
    assert (options["beta1"], options["beta2"]) == pytest.approx((0.8, 0.9))
    assert runs["ntp"].config == before["ntp"]
