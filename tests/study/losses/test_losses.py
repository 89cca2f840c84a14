"""Losses against their formulas: means over samples."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.plan.catalog import load

OUTPUTS = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], dtype=torch.float64)
TARGETS = torch.tensor([2, 0])


def test_cross_entropy_is_in_nats_and_a_mean() -> None:
    p = OUTPUTS.exp() / OUTPUTS.exp().sum(-1, keepdim=True)
    expected = -(p[0, 2].log() + p[1, 0].log()) / 2
    assert load("losses", "cross_entropy")(OUTPUTS, TARGETS).item() == pytest.approx(
        expected.item()
    )


def test_squared_is_half_the_squared_distance_to_one_hot() -> None:
    expected = 0.5 * ((1 + 4 + 0.25) + (1 + 1 + 9)) / 2
    assert load("losses", "squared")(OUTPUTS, TARGETS).item() == pytest.approx(expected)


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(LookupError, match="no_such"):
        load("losses", "no_such")


def test_tokens_are_averaged_over_samples_and_places() -> None:
    random = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 4, generator=random, dtype=torch.float64)
    targets = torch.tensor([[0, 3, 1], [2, 2, 0]])
    loss = load("losses", "cross_entropy")
    each = [loss(outputs[:, place], targets[:, place]).item() for place in range(3)]
    assert loss(outputs, targets).item() == pytest.approx(sum(each) / 3, rel=1e-12)


def test_squared_takes_numbers_as_they_are() -> None:
    numbers = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 3.0]], dtype=torch.float64)
    assert load("losses", "squared")(OUTPUTS, numbers).item() == pytest.approx(0.5 * (4 + 4) / 2)


def test_squared_of_classes_is_that_of_their_one_hot_vectors_for_tokens_too() -> None:
    outputs = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    classes = torch.tensor([[0, 1, 2, 1, 0], [2, 2, 1, 0, 1]])
    one_hot = torch.eye(3, dtype=torch.float64)[classes]
    loss = load("losses", "squared")
    assert torch.equal(loss(outputs, classes), loss(outputs, one_hot))
