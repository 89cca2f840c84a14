"""Small float64 problems with known derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Base = Callable[[Any], torch.optim.Optimizer]


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0)


def momentum(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.9)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1.0)


def adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1.0, weight_decay=0.1)


class Quadratic:
    """½wᵀHw + b·w, with w in two tensors of shapes (2,) and (dim − 2,)."""

    def __init__(self, eigenvalues: list[float], seed: int = 0, linear: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        dim = len(eigenvalues)
        basis, _ = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))
        self.hessian = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
        self.tilt = linear * torch.randn(dim, generator=generator, dtype=torch.float64)
        start = torch.randn(dim, generator=generator, dtype=torch.float64)
        self.parameters = [nn.Parameter(start[:2].clone()), nn.Parameter(start[2:].clone())]

    @property
    def point(self) -> Tensor:
        return torch.cat([p.detach() for p in self.parameters])

    def loss(self) -> Tensor:
        w = torch.cat(list(self.parameters))
        return 0.5 * w @ self.hessian @ w + self.tilt @ w

    def gradient(self) -> Tensor:
        return self.hessian @ self.point + self.tilt


class Dropout(nn.Module):
    """A classifier with dropout and BatchNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def batch(seed: int = 1, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(16, 5, generator=generator, dtype=dtype)
    return inputs, torch.randint(3, (16,), generator=generator)


def loss_of(model: nn.Module, data: tuple[Tensor, Tensor]) -> Callable[[], Tensor]:
    return lambda: nn.functional.cross_entropy(model(data[0]), data[1])


def flat(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])
