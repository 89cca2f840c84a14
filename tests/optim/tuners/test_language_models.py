"""CDAT around a transformers model: autocast, gradient accumulation, clipping."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

import lrtransfer as lt


def llama(dtype: torch.dtype = torch.float64) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=13, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=16,
    )  # fmt: skip
    made: Any = LlamaForCausalLM(config)
    model: LlamaForCausalLM = made.to(dtype)
    return model


def tokens() -> Tensor:
    return torch.randint(13, (8, 9), generator=torch.Generator().manual_seed(1))


def sgd(model: LlamaForCausalLM) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=1.0)


def loss_of(model: LlamaForCausalLM, batch: Tensor) -> Tensor:
    """The model's own loss would be of float32 logits."""
    logits = model(batch[:, :-1]).logits
    return cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def whole(model: LlamaForCausalLM) -> Callable[[], Tensor]:
    return lambda: loss_of(model, tokens())


def in_parts(model: LlamaForCausalLM) -> Callable[[], Tensor]:
    """Gradient accumulation: the mean of equal parts, with the graphs of all."""
    return lambda: torch.stack([loss_of(model, part) for part in tokens().chunk(4)]).mean()


def descend(model: Any, opt: lt.CDAT, closure: Callable[[], Tensor], steps: int) -> list[float]:
    losses = [opt.step(closure).item() for _ in range(steps)]
    assert math.isfinite(opt.directional_sharpness)
    return losses


# The model's norms are in float32 at any dtype, and a difference of losses sees their rounding.
@pytest.mark.parametrize(
    ("curvature", "tolerance"), [("double_backward", 1e-6), ("finite_difference", 1e-3)]
)
def test_a_batch_in_parts_is_tuned_as_the_whole(curvature: Any, tolerance: float) -> None:
    found = []
    for closure in (whole, in_parts):
        model = llama()
        opt = lt.CDAT(sgd(model), sigma=1.0, curvature=curvature)
        found.append([*descend(model, opt, closure(model), 4), opt.learning_rate])
    assert found[1] == pytest.approx(found[0], rel=tolerance)
    assert found[0][-2] < found[0][0]


def test_under_autocast_the_rate_is_that_of_full_precision_within_its_rounding() -> None:
    rates = []
    for enabled in (False, True):
        model = llama(torch.float32)
        opt = lt.CDAT(sgd(model), sigma=1.0)

        def closure(model: Any = model, enabled: bool = enabled) -> Tensor:
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                return whole(model)()

        losses = descend(model, opt, closure, 3)
        assert losses[-1] < losses[0]
        rates.append(opt.learning_rate)
    assert rates[1] == pytest.approx(rates[0], rel=0.1)


def test_a_hook_on_the_base_clips_the_gradient_that_it_steps_by() -> None:
    model = llama()
    base = sgd(model)
    parameters = list(model.parameters())

    def clip(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        moved = [p for group in optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(moved, 1e-3)

    base.register_step_pre_hook(clip)
    opt = lt.CDAT(base, sigma=1.0)
    before = [p.detach().clone() for p in parameters]
    opt.step(whole(model))
    moved = torch.stack([(p - b).norm() for p, b in zip(parameters, before, strict=True)]).norm()
    assert moved.item() == pytest.approx(1e-3 * (opt.learning_rate or 0.0), rel=1e-3)
    assert opt.last_update is not None
