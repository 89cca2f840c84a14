"""Ways to take an update: in bfloat16, in micro-batches, with fused kernels, compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.study.plan.run_config import RunConfig
from lrtransfer.study.training.micro_batches import MicroBatches
from lrtransfer.study.training.resume import load_state, save_state
from lrtransfer.study.training.run import Hooks, TrainingRun
from tests.study.training.configs import changed, configured, language_model, text
from tests.tiny import blobs

CPU = torch.device("cpu")


def weights_after(config: RunConfig, data: Any = None) -> tuple[list[float], dict[str, Any]]:
    run = TrainingRun(config, data or blobs(), CPU)
    log = run.execute(Hooks())
    return log.losses, run.weights()


def gradients(run: TrainingRun) -> torch.Tensor:
    pieces = [p.grad for _, p in run.network.trained]
    return torch.cat([piece.flatten() for piece in pieces if piece is not None])


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize(
    "update", [{"micro_batch": 3}, {"fused": True}, {"micro_batch": 8, "fused": True}]
)
def test_updates_are_those_of_the_plain_run(optimizer: str, update: dict[str, Any]) -> None:
    """In float64, to 1e-10 over the run; 3 does not divide the batch of 8."""
    plain = configured(optimizer)
    losses, weights = weights_after(plain)
    own_losses, own_weights = weights_after(changed(plain, **update))
    assert own_losses == pytest.approx(losses, rel=1e-10)
    torch.testing.assert_close(own_weights, weights, rtol=1e-10, atol=1e-10)


def test_micro_batches_of_text_weigh_tokens_alike() -> None:
    config = language_model(steps=4)
    losses, weights = weights_after(config, text())
    own_losses, own_weights = weights_after(changed(config, micro_batch=3), text())
    assert own_losses == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(own_weights, weights, rtol=1e-4, atol=1e-6)


def test_micro_batches_refuse_batch_norm() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match=r"batch norm \(1\), .* micro_batch is 2"):
        MicroBatches(2, model)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_bfloat16_rounds_products_and_keeps_the_rest_in_float32(optimizer: str) -> None:
    """A step's gradient is off by about one unit of bfloat16 (2^-8), far more than float32's."""
    config = changed(configured(optimizer), precision="float32", learning_rate=0.01)
    mixed = TrainingRun(changed(config, precision="bfloat16"), blobs(), CPU)
    plain = TrainingRun(config, blobs(), CPU)
    before = mixed.weights()
    torch.testing.assert_close(before, plain.weights(), rtol=0, atol=0)
    products: list[torch.dtype] = []
    for module in mixed.network.model.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda m, x, out: products.append(out.dtype))
    mixed.update_once()
    plain.update_once()
    assert set(products) == {torch.bfloat16}
    assert {p.dtype for p in mixed.network.model.parameters()} == {torch.float32}
    assert mixed.losses.dtype == torch.float32
    ours, theirs = gradients(mixed), gradients(plain)
    error = ((ours - theirs).norm() / theirs.norm()).item()
    assert 1e-5 < error < 2**-5


def test_curvature_of_a_run_in_bfloat16_is_that_of_its_float32_weights() -> None:
    """At step 0 the weights are the same, so every measured number is, to the bit."""
    config = changed(configured(probes=["sharpness", "norms"]), precision="float32")
    plain = TrainingRun(config, blobs(), CPU).execute(Hooks())
    mixed = TrainingRun(changed(config, precision="bfloat16"), blobs(), CPU).execute(Hooks())
    assert mixed.rows[0] == plain.rows[0]
    assert mixed.losses[0] != plain.losses[0]


def test_norms_take_float32_under_bfloat16() -> None:
    run = TrainingRun(language_model(precision="bfloat16"), text(), CPU)
    seen: list[torch.dtype] = []
    norms = [m for m in run.network.model.modules() if isinstance(m, torch.nn.LayerNorm)]
    for norm in norms:
        norm.register_forward_hook(lambda m, x, out: seen.append(out.dtype))
    run.update_once()
    assert len(seen) == len(norms) > 0
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("update", [{"precision": "bfloat16"}, {"micro_batch": 3, "fused": True}])
def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path: Path, update: dict[str, Any]) -> None:
    config = changed(changed(configured("adamw"), precision="float32"), **update)
    whole = TrainingRun(config, blobs(), CPU).execute(Hooks())

    class Stopped(Exception):
        pass

    def stop(step: int, run: TrainingRun) -> None:
        if step == 3:
            save_state(tmp_path / "state", run, "k")
            raise Stopped

    with pytest.raises(Stopped):
        TrainingRun(config, blobs(), CPU).execute(Hooks(after_step=stop))
    resumed = TrainingRun(config, blobs(), CPU)
    assert load_state(tmp_path / "state", resumed, "k")
    assert resumed.execute(Hooks()).losses == whole.losses


def test_fused_refuses_an_optimizer_without_such_a_kernel() -> None:
    with pytest.raises(ValueError, match="no fused RMSprop"):
        TrainingRun(changed(configured("rmsprop"), fused=True), blobs(), CPU)


@pytest.mark.slow
def test_a_compiled_run_takes_the_updates_of_the_plain_one(monkeypatch: Any) -> None:
    """Through a backend that needs no C++ compiler: what is compiled is the run's passes."""
    compiled: list[Any] = []
    real = torch.compile

    def compile_eagerly(model: Any, *, mode: str) -> Any:
        compiled.append(mode)
        return real(model, backend="eager")

    monkeypatch.setattr(torch, "compile", compile_eagerly)
    losses, _ = weights_after(configured())
    own, _ = weights_after(changed(configured(), compile="default"))
    assert compiled == ["default"]
    assert own == pytest.approx(losses, rel=1e-10)


def test_options_that_are_not_set_leave_a_configuration_as_it_was() -> None:
    said = configured().to_json()
    assert not {"micro_batch", "compile", "fused"} & said.keys()
