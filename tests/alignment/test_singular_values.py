"""Top singular values of weights and updates."""

import math

import pytest
import torch

from lrtransfer.alignment.singular_values import singular_values, spectral_scale


def test_values_are_those_that_the_matrix_was_made_of() -> None:
    random = torch.Generator().manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(6, 4, generator=random, dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(4, 4, generator=random, dtype=torch.float64))
    known = torch.tensor([7.0, 3.0, 0.5, 0.1]).double()
    found = singular_values(left @ known.diag() @ right, 3)
    torch.testing.assert_close(found, known[:3])


def test_a_kernel_is_a_matrix_of_patches_and_a_short_side_leaves_nan() -> None:
    kernel = torch.ones(2, 3, 2, 2).double()
    assert singular_values(kernel)[0] == pytest.approx(math.sqrt(24))
    assert singular_values(torch.ones(1, 4), 2).isnan().tolist() == [False, True]
    assert singular_values(torch.full((2, 2), math.inf)).isnan().all()
    assert spectral_scale(kernel) == pytest.approx(math.sqrt(2 / 12))


def test_gaussian_entries_of_variance_over_the_fan_in_have_one_plus_the_root_of_the_ratio() -> None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(600, 300, generator=random) / math.sqrt(300)
    assert float(singular_values(weight)[0]) == pytest.approx(1 + math.sqrt(2), rel=0.02)


def test_a_vector_has_none() -> None:
    with pytest.raises(ValueError, match="give a matrix"):
        singular_values(torch.ones(3))
