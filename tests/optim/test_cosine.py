"""The cosine schedule at known steps."""

from __future__ import annotations

import math

import pytest

from lrtransfer.study.plan import catalog


def test_it_falls_from_one_to_zero_along_half_a_cosine() -> None:
    values = [catalog.load("optim/schedules", "cosine")(step, 6) for step in range(6)]
    root = math.sqrt(3) / 2
    assert values == pytest.approx([1, (1 + root) / 2, 0.75, 0.5, 0.25, (1 - root) / 2])


def test_torch_s_scheduler_agrees() -> None:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=0.1)
    for step in range(10):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(
            catalog.load("optim/schedules", "cosine")(step, 10, final=0.1)
        )
        optimizer.step()
        scheduler.step()


def test_it_warms_up_first() -> None:
    values = [
        catalog.load("optim/schedules", "cosine")(step, 8, warmup_fraction=0.5) for step in range(8)
    ]
    assert values == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.8535533905932737, 0.5, 0.1464466])


def test_a_run_that_is_all_warm_up_has_no_decay() -> None:
    assert catalog.load("optim/schedules", "cosine")(3, 4, warmup_steps=4) == 1


def test_its_options_are_read_from_its_source() -> None:
    assert set(catalog.options("optim/schedules", "cosine")) == {
        "final",
        "warmup_steps",
        "warmup_fraction",
    }


@pytest.mark.parametrize("final", [-0.1, 1.5])
def test_a_final_factor_that_is_no_share_is_refused(final: float) -> None:
    with pytest.raises(ValueError, match=f"final is {final}"):
        catalog.load("optim/schedules", "cosine")(0, 4, final=final)
