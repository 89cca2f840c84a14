"""The two-layer linear network: f = xEV."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.models.two_layer_linear import TwoLayerLinear
from tests.study.models.cases import fill


def test_the_output_is_the_product_of_the_two_matrices() -> None:
    model = TwoLayerLinear(in_features=6, out_features=2, width=5)
    fill(model)
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).view(4, 2, 3)
    expected = x.view(4, 6) @ model.embed.weight.T @ model.readout.weight.T
    torch.testing.assert_close(model(x), expected, rtol=1e-14, atol=1e-14)


def test_the_parameters_are_dn_and_nc_numbers() -> None:
    model = TwoLayerLinear(in_features=6, out_features=2, width=5)
    assert sum(p.numel() for p in model.parameters()) == 6 * 5 + 5 * 2


def test_a_depth_that_it_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth is 3; .* Give depth 1\."):
        TwoLayerLinear(in_features=6, out_features=2, width=5, depth=3)
