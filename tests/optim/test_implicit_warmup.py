"""The explicit warm-ups at known steps, and as factors of single groups."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from lrtransfer.optim.implicit_warmup import exponential


def test_the_exponential_starts_at_one_over_m_and_ends_at_one() -> None:
    values = [exponential(step, 4, 16) for step in range(7)]
    assert values == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1, 1])


def test_a_multiplier_of_one_warms_nothing_up() -> None:
    assert [exponential(step, 4, 1) for step in range(6)] == [1.0] * 6


def test_a_narrower_net_than_the_base_is_cooled_down() -> None:
    assert exponential(0, 4, 0.5) == 2
    assert exponential(4, 4, 0.5) == 1


def test_a_scheduler_of_torch_takes_the_factors_group_by_group() -> None:
    hidden, gain = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.AdamW([{"params": [hidden]}, {"params": [gain]}], lr=0.1)
    factors: list[Callable[[int], float]]
    factors = [partial(exponential, warmup_steps=4, width_multiplier=m) for m in (8.0, 1.0)]
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
    seen = []
    for _ in range(6):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    ratios = [first / second for first, second in seen]
    assert ratios == pytest.approx([8 ** min(0, t / 4 - 1) for t in range(6)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exponential(0, 0, 8), "warmup_steps is 0"),
        (lambda: exponential(-1, 4, 8), "step -1"),
        (lambda: exponential(0, 4, 0), "width_multiplier is 0"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
