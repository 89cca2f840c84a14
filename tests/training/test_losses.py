"""Losses against their formulas: means over samples."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.training.losses import loss_function

OUTPUTS = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], dtype=torch.float64)
TARGETS = torch.tensor([2, 0])


def test_cross_entropy_is_in_nats_and_a_mean() -> None:
    p = OUTPUTS.exp() / OUTPUTS.exp().sum(-1, keepdim=True)
    expected = -(p[0, 2].log() + p[1, 0].log()) / 2
    assert loss_function("cross_entropy")(OUTPUTS, TARGETS).item() == pytest.approx(expected.item())


def test_squared_is_half_the_squared_distance_to_one_hot() -> None:
    expected = 0.5 * ((1 + 4 + 0.25) + (1 + 1 + 9)) / 2
    assert loss_function("squared")(OUTPUTS, TARGETS).item() == pytest.approx(expected)


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such"):
        loss_function("no_such")
