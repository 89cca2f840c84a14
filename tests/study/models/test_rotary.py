"""Rotary position embedding: rotations whose inner products know distances alone."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.models.rotary import rotate


def same_at_every_place(seed: int, length: int = 7, size: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=generator, dtype=torch.float64).expand(length, size)


def test_inner_products_depend_on_the_distance_alone() -> None:
    queries, keys = (rotate(same_at_every_place(seed), 10000.0) for seed in (0, 1))
    products = queries @ keys.T
    torch.testing.assert_close(products[1:, 1:], products[:-1, :-1], rtol=1e-12, atol=1e-12)
    assert (products[0] - products[0, 0]).abs()[1:].min() > 1e-3


def test_norms_stay_and_the_first_position_is_not_turned() -> None:
    vectors = same_at_every_place(0)
    turned = rotate(vectors, 10000.0)
    torch.testing.assert_close(turned.norm(dim=-1), vectors.norm(dim=-1))
    torch.testing.assert_close(turned[0], vectors[0])


def test_each_pair_turns_by_its_own_frequency() -> None:
    turned = rotate(torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64).expand(3, 4), 100.0)
    angles = torch.arange(3, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.1])
    torch.testing.assert_close(turned, torch.cat([angles.cos(), angles.sin()], dim=1).double())


def test_an_odd_head_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match="head dimension is 3; rotary embedding needs an even one"):
        rotate(torch.zeros(2, 3), 10000.0)
