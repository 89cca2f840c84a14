"""Diagonal operators with a chosen spectrum: their eigenvalues are known exactly."""

import torch
from torch import Tensor


class DiagonalOperator:
    """v -> diag(spectrum) v."""

    def __init__(self, spectrum: Tensor) -> None:
        self.spectrum = spectrum
        self.dim = len(spectrum)
        self.dtype = spectrum.dtype
        self.device = spectrum.device
        self.products = 0

    def __call__(self, vector: Tensor) -> Tensor:
        self.products += 1
        return self.spectrum * vector


def unit(dim: int, index: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the eigenvector `index` of a diagonal operator."""
    return torch.nn.functional.one_hot(torch.tensor(index), dim).to(dtype)
