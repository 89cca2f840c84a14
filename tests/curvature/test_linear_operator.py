"""The dense matrix of an operator."""

import torch

from lrtransfer.curvature import dense


class RotationLike:
    """A non-symmetric matrix, to tell rows from columns."""

    dim, dtype, device, products = 2, torch.float64, torch.device("cpu"), 0

    def __call__(self, vector: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64) @ vector


def test_columns_are_the_products_with_the_unit_vectors() -> None:
    assert dense(RotationLike()).tolist() == [[1, 2], [3, 4]]
