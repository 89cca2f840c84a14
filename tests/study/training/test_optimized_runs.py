"""Runs with every optimizer, on text and numbers, with augmentation and frozen features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lrtransfer.curvature import sharpness
from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training import streams
from lrtransfer.study.training.augmentation import crop_flip
from lrtransfer.study.training.cadence import Cadence
from lrtransfer.study.training.resume import load_state, save_state
from lrtransfer.study.training.run import Hooks, Log, TrainingRun
from tests.tiny import blobs

from .configs import (
    OF_MATRICES,
    OF_PACKAGE,
    OPTIMIZERS,
    changed,
    configured,
    images,
    language_model,
    text,
)

CPU = torch.device("cpu")
ADAPTIVE = ["norms", "preconditioned_sharpness", "sharpness", "subset_loss"]


class Stopped(Exception):
    """What a hook raises to stop a run."""


def facts(log: Log, run: TrainingRun) -> tuple[Any, ...]:
    """Return what must not depend on stops; numbers as text, so that NaN equals itself."""
    rows = {step: {c: repr(row[c]) for c in sorted(row)} for step, row in log.rows.items()}
    weights = {name: tensor.numpy().tobytes() for name, tensor in run.weights().items()}
    return log.losses, log.learning_rates, rows, log.diverged_step, weights


def straight(config: RunConfig, arrays: Arrays) -> tuple[Any, ...]:
    run = TrainingRun(config, arrays, CPU)
    return facts(run.execute(Hooks()), run)


def interrupted(config: RunConfig, arrays: Arrays, path: Path) -> tuple[Any, ...]:
    """Train with a stop after steps 1 and 4, each time by way of a file."""
    for stop in (1, 4):

        def after_step(step: int, current: TrainingRun, stop: int = stop) -> None:
            if step == stop:
                save_state(path, current, "key")
                raise Stopped

        part = TrainingRun(config, arrays, CPU)
        load_state(path, part, "key")
        with pytest.raises(Stopped):
            part.execute(Hooks(after_step=after_step))
    last = TrainingRun(config, arrays, CPU)
    assert load_state(path, last, "key")
    return facts(last.execute(Hooks()), last)


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_a_resumed_run_is_bit_equal_with_every_optimizer(optimizer: str, tmp_path: Path) -> None:
    adaptive = optimizer not in {"sgd", "momentum"}
    config = configured(optimizer, probes=ADAPTIVE if adaptive else None)
    whole = straight(config, blobs())
    assert interrupted(config, blobs(), tmp_path / "state") == whole
    assert len(whole[0]) == 6


@pytest.mark.parametrize("optimizer", [*OF_MATRICES, *OF_PACKAGE])
def test_a_resumed_run_of_matrices_is_bit_equal(optimizer: str, tmp_path: Path) -> None:
    if optimizer in OF_PACKAGE:
        pytest.importorskip("pytorch_optimizer")
    config = configured(optimizer, probes=["norms", "subset_loss"])
    whole = straight(config, blobs())
    assert interrupted(config, blobs(), tmp_path / "state") == whole
    assert whole[0][-1] < whole[0][0]


def test_a_matrix_of_fixed_norm_keeps_it_and_the_rest_has_its_own_rate() -> None:
    run = TrainingRun(configured("muonh", probes=["norms"]), blobs(), CPU)
    before = run.weights()
    run.execute(Hooks())
    hidden = [n for n, role in run.network.roles.tensors.items() if role == "hidden"]
    assert hidden
    for name in hidden:
        assert not torch.equal(run.weights()[name], before[name])
        assert torch.allclose(run.weights()[name].norm(), before[name].norm(), rtol=1e-12)
    slower = TrainingRun(configured("muon", probes=["norms"]), blobs(), CPU)
    slower.execute(Hooks())
    rates = {group["name"]: group["lr"] for group in slower.optimizer.param_groups}
    planned = slower.network.relative_rates
    assert rates["readout.weight"] / planned["readout.weight"] == pytest.approx(
        rates[hidden[0]] / planned[hidden[0]] * 0.5
    )


def test_a_resumed_run_on_text_is_bit_equal(tmp_path: Path) -> None:
    config = language_model()
    assert interrupted(config, text(), tmp_path / "state") == straight(config, text())


def convnet(**changes: Any) -> RunConfig:
    """Return a run of a residual convolutional network with batch norm on 8×8 images."""
    options = {"image_size": 8, "stride": 1, "activation": "tanh", "norm": "batch"}
    model = {"family": "residual_convnet", "width": 3, "depth": 3, "options": options}
    return configured("momentum", model=model, **changes)


def test_a_resumed_augmented_run_is_bit_equal(tmp_path: Path) -> None:
    config = convnet(augmentation="crop_flip")
    whole = straight(config, images())
    assert interrupted(config, images(), tmp_path / "state") == whole
    assert whole[0] != straight(convnet(), images())[0]


def test_each_step_sees_its_own_crops_of_its_batch_and_probes_see_none() -> None:
    config = convnet(augmentation="crop_flip", learning_rate=1e-3)
    run = TrainingRun(config, images(), CPU)
    given: list[Tensor] = []
    run.network.model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    run.cadence = Cadence(None, config.steps, config.batch_size)
    run.execute(Hooks())
    plain = torch.from_numpy(images()["train_inputs"]).double()
    assert torch.equal(run.subset[0], plain[streams.subset(40, 12)])
    for step, batch in enumerate(given):
        random = streams.generator("augmentation", config.seed, step)
        assert torch.equal(batch, crop_flip(plain[run.order(step)], random))


def test_flat_inputs_cannot_be_augmented() -> None:
    run = TrainingRun(configured(augmentation="crop_flip"), blobs(), CPU)
    with pytest.raises(ValueError, match="crop_flip needs images"):
        run.execute(Hooks())


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_random_features_move_the_readout_alone(optimizer: str) -> None:
    run = TrainingRun(configured(optimizer, trained="output"), blobs(), CPU)
    before = run.weights()
    run.execute(Hooks())
    for name, after in run.weights().items():
        assert torch.equal(after, before[name]) == (name != "readout.weight"), name


def test_random_features_have_the_curvature_of_what_is_trained() -> None:
    """The features are fixed, so H is that of a linear model: its block of the whole Hessian."""
    config = configured("sgd", probes=["norms", "ntk", "sharpness"], trained="output")
    run = TrainingRun(changed(config, loss="squared"), blobs(), CPU)
    log = run.execute(Hooks())
    features: list[Tensor] = []
    run.network.model.readout.register_forward_pre_hook(  # type: ignore[union-attr]
        lambda module, inputs: features.append(inputs[0].detach())
    )
    run.network.model(run.subset[0])
    kernel = features[0].T @ features[0] / len(features[0])
    readout = run.network.scaled["readout.weight"]
    top = torch.linalg.eigvalsh(kernel)[-1].item() * readout.multiplier**2 * readout.learning_rate
    for row in log.rows.values():
        assert row["sharpness"] == pytest.approx(top, rel=1e-3), "as it was at the start"
        assert row["ntk"] == pytest.approx(top, rel=1e-3)
        assert [column for column in row if "/" in column] == ["weight_norm/readout.weight"]
    whole = TrainingRun(changed(config, loss="squared", trained="all"), blobs(), CPU)
    bare = sharpness(
        whole.network.model, whole.loss, whole.subset, scale=whole.network.relative_rates
    )
    assert bare.value > 1.05 * top


def test_every_tensor_is_stepped_with_its_own_numbers() -> None:
    """AdamW's first step is −η·sign where ε is small, plus the shrinking by η·λ."""
    config = configured(
        "adamw", schedule={"name": "constant", "options": {}}, steps=1, measure=None
    )
    config = changed(config, optimizer={"options": {"epsilon": 1e-30, "weight_decay": 0.5}})
    run = TrainingRun(config, blobs(), CPU)
    before, scaled = run.weights(), run.network.scaled
    run.update_once()
    gradients = {name: p.grad for name, p in run.network.model.named_parameters()}
    for name, after in run.weights().items():
        rate = config.learning_rate * scaled[name].learning_rate
        gradient = gradients[name]
        assert gradient is not None
        expected = before[name] * (1 - rate * 0.5 * scaled[name].weight_decay)
        torch.testing.assert_close(after, expected - rate * gradient.sign(), rtol=1e-9, atol=1e-12)
    assert len({s.learning_rate for s in scaled.values()}) == 2


def test_groups_carry_the_numbers_of_their_tensors_in_the_models_order() -> None:
    run = TrainingRun(changed(configured("adam"), model={"depth": 3}), blobs(), CPU)
    named = dict(run.network.model.named_parameters())
    names = {id(parameter): name for name, parameter in named.items()}
    held = [[names[id(p)] for p in group["params"]] for group in run.optimizer.param_groups]
    assert [name for group in held for name in group] == list(named)
    assert len(held) == 3 < len(named)
    for group, own in zip(run.optimizer.param_groups, held, strict=True):
        assert group["name"] == own[0]
        for numbers in map(run.network.scaled.__getitem__, own):
            assert group["eps"] == pytest.approx(1e-6 * numbers.epsilon)
            assert group["relative_rate"] == numbers.learning_rate


def test_a_text_is_learned_by_its_next_tokens() -> None:
    """The loss starts near log 256 nats a token and falls on a text of five letters."""
    log = TrainingRun(language_model(steps=60, learning_rate=0.1), text(), CPU).execute(Hooks())
    assert log.losses[0] == pytest.approx(np.log(256), abs=0.5)
    assert log.losses[-1] < 2.0
    assert log.status == "ok"


def test_the_loss_on_text_is_the_mean_over_tokens() -> None:
    run = TrainingRun(language_model(), text(), CPU)
    inputs, targets = run.subset
    assert inputs.shape == targets.shape == (12, 8)
    log_p = run.network.model(inputs).log_softmax(-1)
    expected = -log_p.gather(-1, targets[..., None]).mean().item()
    assert run.execute(Hooks()).rows[0]["subset_loss"] == pytest.approx(expected, rel=1e-12)


def test_targets_that_are_numbers_are_fitted() -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    arrays = {"train_inputs": inputs, "train_targets": inputs[:, :2] * 2}
    config = configured(loss="squared", steps=80)
    options = {**config.model.options, "activation": "linear"}
    config = changed(config, model={"options": options})
    run = TrainingRun(config, arrays, CPU)
    log = run.execute(Hooks())
    assert run.network.model.readout.weight.shape == (2, 4)  # type: ignore[union-attr]
    assert np.mean(log.losses[-5:]) < 0.05 * log.losses[0]
