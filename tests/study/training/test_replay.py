"""Runs forced to the effective rates of another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lrtransfer.alignment.effective_rate import effective_rates
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.tiny import blobs, tiny_grid, tiny_params, tiny_plan

from .configs import OPTIMIZERS, configured
from .test_optimized_runs import CPU, interrupted, straight


def replaying(optimizer: str, other: str, **changes: Any) -> RunConfig:
    """Return a run with one optimizer, forced to the effective rates of another's."""
    name, options = OPTIMIZERS[other]
    replay = {"name": name, "options": options | changes.pop("options", {})}
    return configured(optimizer, replay=replay, **changes)


def test_the_forced_runs_rates_are_the_others() -> None:
    config = replaying("adam", "adamw", options={"weight_decay": 5.0})
    run = TrainingRun(config, blobs(), CPU)
    assert run.replay is not None
    other = run.replay.other
    assert other.config.optimizer.name == "adamw" and other.config.replay is None
    seen = []
    step = run.optimizer.step
    before: dict[str, float] = {}

    def noted(*args: Any) -> Any:
        seen.append((effective_rates(run.network.model, run.optimizer), dict(before)))
        return step(*args)

    run.optimizer.step = noted  # type: ignore[method-assign, assignment]
    for _ in range(4):
        other.set_rates()
        before = effective_rates(other.network.model, other.optimizer)
        run.update_once()
    for own, wanted in seen:
        assert own == pytest.approx(wanted)
    assert seen[0][1] != pytest.approx(seen[-1][1])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_run_forced_to_its_own_rates_is_itself(optimizer: str) -> None:
    forced = TrainingRun(replaying(optimizer, optimizer), blobs(), CPU)
    plain = TrainingRun(configured(optimizer), blobs(), CPU)
    assert forced.execute(Hooks()).losses == pytest.approx(plain.execute(Hooks()).losses)


def test_a_resumed_run_is_bit_equal(tmp_path: Path) -> None:
    config = replaying("adam", "adamw")
    assert interrupted(config, blobs(), tmp_path / "state") == straight(config, blobs())


def test_what_diverges_in_the_other_run_diverges_here() -> None:
    config = replaying("sgd", "sgd", options={"weight_decay": 1e300})
    log = TrainingRun(config, blobs(), CPU).execute(Hooks())
    assert log.status == "diverged"


def test_an_arm_may_ask_for_it() -> None:
    content = tiny_params()
    tiny_grid(content)["arms"]["mup"]["replay"] = {"sgd": {"weight_decay": 0.1}}
    runs = {run.arm: run for run in tiny_plan(content).runs}
    replay = runs["mup"].config.replay
    assert replay is not None and dict(replay.options)["weight_decay"] == 0.1
    assert "study/training/replay.py" in runs["mup"].code
    assert runs["sp"].config.replay is None
    assert "study/training/replay.py" not in runs["sp"].code
    assert "replay" not in runs["sp"].config.to_json()


def test_the_others_optimizer_is_in_the_key() -> None:
    content = tiny_params()
    tiny_grid(content)["arms"]["mup"] |= {"optimizer": "adam", "replay": "adamw"}
    run = next(run for run in tiny_plan(content).runs if run.arm == "mup")
    assert {"optim/adam.py", "optim/adamw.py"} <= set(run.code)
