"""One trajectory: against the update written out, stopped and resumed, diverged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lrtransfer.study.plan.expand import Run
from lrtransfer.study.training import streams
from lrtransfer.study.training.resume import load_state, save_state
from lrtransfer.study.training.run import DIVERGENCE_INTERVAL, Hooks, Log, TrainingRun
from tests.study.training.configs import changed
from tests.tiny import EXPERIMENT, blobs, tiny_grid, tiny_params, tiny_plan, tiny_run

CPU = torch.device("cpu")


def training(run: Run, **changes: Any) -> TrainingRun:
    return TrainingRun(changed(run.config, **changes), blobs(), CPU)


class Stopped(Exception):
    """What a test's hook raises to stop a run."""


@dataclass
class Kept:
    """The checkpoints that a run handed out."""

    weights: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def __call__(self, step: int, weights: dict[str, Tensor]) -> None:
        self.weights[step] = weights


def facts(log: Log) -> tuple[Any, ...]:
    """Return what must not depend on how often a run was stopped."""
    return log.losses, log.learning_rates, log.rows, log.diverged_step, log.measuring


def stopped_and_resumed(run: Run, stops: list[int], path: Path) -> tuple[Log, Kept]:
    """Train with a stop after each of ``stops``, by way of files."""
    kept = Kept()
    for stop in [*stops, None]:

        def after_step(step: int, current: TrainingRun, stop: int | None = stop) -> None:
            if step == stop:
                save_state(path, current, run.key)
                raise Stopped

        part = training(run)
        assert load_state(path, part, run.key) == (stop != stops[0])
        hooks = Hooks(kept, after_step, run.checkpoints)
        if stop is None:
            return part.execute(hooks), kept
        with pytest.raises(Stopped):
            part.execute(hooks)
    raise AssertionError


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("stops", [[1], [2], [3, 4], [1, 2, 3, 4, 5], [6]])
def test_a_resumed_run_equals_the_uninterrupted_one(
    tmp_path: Path, stops: list[int], measured: bool
) -> None:
    run = tiny_run(measured=measured)
    whole, whole_kept = training(run), Kept()
    expected = whole.execute(Hooks(whole_kept, checkpoints=run.checkpoints))
    log, kept = stopped_and_resumed(run, stops, tmp_path / "state.safetensors")
    assert facts(log) == facts(expected)
    assert len(log.losses) == 6
    assert kept.weights.keys() == whole_kept.weights.keys() == set(run.checkpoints)
    for step, weights in whole_kept.weights.items():
        for name, tensor in weights.items():
            assert tensor.numpy().tobytes() == kept.weights[step][name].numpy().tobytes()


def test_a_state_of_another_run_is_left_aside(tmp_path: Path) -> None:
    run = tiny_run()
    save_state(tmp_path / "state", training(run), "another")
    assert not load_state(tmp_path / "state", training(run), run.key)


def test_a_damaged_state_is_named_and_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = tiny_run(), tmp_path / "state.safetensors"
    save_state(path, training(run), run.key)
    path.write_bytes(path.read_bytes()[:-9])
    assert not load_state(path, training(run), run.key)
    assert "warning: " in (error := capsys.readouterr().err)
    assert "state.safetensors" in error
    assert "Starting this run from step 0." in error


def test_a_run_follows_the_update_written_out_by_hand() -> None:
    run = tiny_run(measured=False, precision="float64")
    config = changed(run.config, schedule={"options": {"warmup_steps": 3}})
    trained = TrainingRun(config, blobs(), CPU)
    twin = TrainingRun(config, blobs(), CPU)
    log = trained.execute(Hooks())
    named = dict(twin.network.model.named_parameters())
    velocity = {name: torch.zeros_like(p) for name, p in named.items()}
    order = streams.BatchOrder(40, 8, run.seed)
    for step in range(6):
        rate = run.learning_rate * min(1.0, (step + 1) / 3)
        inputs = torch.from_numpy(blobs()["train_inputs"]).double()[order(step)]
        targets = torch.from_numpy(blobs()["train_targets"])[order(step)]
        log_p = twin.network.model(inputs).log_softmax(-1)
        loss = -log_p[torch.arange(8), targets].mean()
        assert log.losses[step] == pytest.approx(loss.item(), rel=1e-12)
        assert log.learning_rates[step] == pytest.approx(rate, rel=1e-15)
        gradients = torch.autograd.grad(loss, list(named.values()))
        with torch.no_grad():
            for (name, p), gradient in zip(named.items(), gradients, strict=True):
                velocity[name] = 0.5 * velocity[name] + gradient
                p -= rate * twin.network.relative_rates[name] * velocity[name]  # type: ignore[misc]
    for name, p in named.items():
        torch.testing.assert_close(trained.weights()[name], p.detach(), rtol=1e-11, atol=1e-13)


def test_rows_belong_to_the_weights_after_their_step() -> None:
    run = tiny_run(precision="float64")
    seen = {}
    subject = training(run)

    def note(step: int, current: TrainingRun) -> None:
        inputs, targets = current.subset
        seen[step] = current.loss(current.network.model(inputs), targets).item()

    note(0, subject)
    log = subject.execute(Hooks(after_step=note))
    assert list(log.rows) == [0, 1, 2, 3, 6]
    for step, row in log.rows.items():
        assert row["subset_loss"] == pytest.approx(seen[step], rel=1e-12)


def test_a_run_repeats_itself_bit_by_bit_and_leaves_the_global_random_state() -> None:
    run = tiny_run()
    state = torch.get_rng_state()
    first, again = (facts(training(run).execute(Hooks())) for _ in range(2))
    assert first == again
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_and_order_both_depend_on_the_seed() -> None:
    run = tiny_run()
    one, other = training(run), training(run, seed=1)
    assert not torch.equal(one.network.model.embed.weight, other.network.model.embed.weight)  # type: ignore[arg-type, union-attr]
    assert not torch.equal(one.order(0), other.order(0))
    assert torch.equal(one.subset[0], other.subset[0])


def test_weights_do_not_depend_on_the_batches_nor_batches_on_the_net() -> None:
    run = tiny_run()
    one = training(run)
    batches = training(run, batch_size=5)
    assert torch.equal(one.network.model.embed.weight, batches.network.model.embed.weight)  # type: ignore[arg-type, union-attr]
    wide = training(run, model={"width": 9})
    assert all(torch.equal(one.order(step), wide.order(step)) for step in range(9))


def test_a_user_s_parameterization_trains() -> None:
    content = tiny_params()
    content["parameterizations"] = {
        "mine": {
            "description": "μP in its absorbed form, without a depth factor",
            "source": "the tests",
            "families": {
                "sgd": {
                    "input": {
                        "init": {"fan_in": -0.5},
                        "learning_rate": {"fan_in": -1, "width": 1},
                    },
                    "hidden": {"init": {"fan_in": -0.5}},
                    "output": {"init": {"fan_in": -1}, "learning_rate": {"width": -1}},
                    "branch": {},
                }
            },
        }
    }
    content["study"][EXPERIMENT]["arms"] = {
        "mine": {"label": "mine", "parameterization": "mine", "lr": 1.0},
        "mup": {
            "label": "μP",
            "parameterization": "mup",
            "lr": 1.0,
            "constants": {"branch_exponent": 0.0},
        },
    }
    grid = tiny_grid(content)
    grid["precision"] = "float64"
    runs = [r for r in tiny_plan(content).runs if r.width == 6 and r.seed == 0]
    mine, mup = (TrainingRun(run.config, blobs(), CPU).execute(Hooks()) for run in runs)
    assert [run.arm for run in runs] == ["mine", "mup"]
    assert mine.losses == pytest.approx(mup.losses, rel=1e-9)
    for step, row in mine.rows.items():
        assert row["sharpness"] == pytest.approx(mup.rows[step]["sharpness"], rel=1e-3)


def diverging(**changes: Any) -> Run:
    """Return a run whose loss overflows within 24 steps."""
    content = tiny_params()
    experiment = tiny_grid(content)
    experiment |= {"steps": 24, "loss": "squared"}
    experiment["spectra"]["steps"] = [2, 24]
    experiment["model"]["residual_mlp"]["activation"] = "linear"
    experiment["arms"]["mup"] |= {"lr": 3.0e4, "measured_at": 3.0e4}
    experiment |= changes
    return next(run for run in tiny_plan(content).runs if run.measured)


def first_bad_step(run: Run) -> int:
    """Return the first update whose loss is not finite, looking at every one."""
    subject = TrainingRun(changed(run.config, measure=None), blobs(), CPU)
    while torch.isfinite(subject.losses[: subject.progress.step]).all():
        subject.update_once()
    return subject.progress.step


def test_a_diverged_run_ends_before_the_first_loss_that_is_not_finite() -> None:
    run = diverging()
    bad = first_bad_step(run)
    assert 1 < bad < DIVERGENCE_INTERVAL
    kept = Kept()
    log = training(run).execute(Hooks(kept, checkpoints=run.checkpoints))
    assert (log.status, log.diverged_step) == ("diverged", bad)
    assert len(log.losses) == len(log.learning_rates) == bad - 1
    assert all(abs(loss) < float("inf") for loss in log.losses)
    assert max(log.rows) < bad
    assert set(kept.weights) <= {2}


def test_a_run_that_does_not_diverge_says_so() -> None:
    log = training(tiny_run()).execute(Hooks())
    assert (log.status, log.diverged_step) == ("ok", None)


def test_a_batch_or_subset_larger_than_the_data_is_refused() -> None:
    run = tiny_run()
    with pytest.raises(ValueError, match="batch_size is 41, but there are 40 training samples"):
        training(run, batch_size=41)
    with pytest.raises(ValueError, match=r"measure\.samples is 41, but there are 40"):
        training(run, measure={"samples": 41})


def test_data_without_inputs_and_targets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"holds train_tokens.*train_inputs and train_targets"):
        TrainingRun(tiny_run().config, {"train_tokens": blobs()["train_targets"]}, CPU)
