"""The shared list of networks, losses and batches, and dense oracles independent of the library.

The oracles are sixth-order central differences in float64. They share no derivative rule with
the operators, hold to about 1e-11, and are right where `torch.func.hessian` is silently wrong
(affine LayerNorm) or raises (GroupNorm, BatchNorm in train mode).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

LossFunction = Callable[[Any, Any], Tensor]


def squared_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * ((outputs - targets) ** 2).sum(dim=1).mean()


@dataclass(frozen=True, eq=False)
class Case:
    """A float64 model with its loss and one batch of ten samples."""

    name: str
    model: nn.Module
    loss_fn: LossFunction
    inputs: Tensor
    targets: Tensor

    @property
    def batch(self) -> tuple[Tensor, Tensor]:
        return self.inputs, self.targets

    @property
    def ragged(self) -> list[tuple[Tensor, Tensor]]:
        """The batch in chunks of 8 and 2 samples."""
        return list(zip(self.inputs.split([8, 2]), self.targets.split([8, 2]), strict=True))

    @property
    def separable(self) -> bool:
        """Whether the samples do not see each other, so that chunks add up."""
        return not (self.model.training and any_batch_norm(self.model))


def any_batch_norm(model: nn.Module) -> bool:
    return any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in model.modules())


class ResidualMLP(nn.Module):
    def __init__(self, dim: int = 5, width: int = 6, outputs: int = 3) -> None:
        super().__init__()
        self.first = nn.Linear(dim, width)
        self.branches = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.readout = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        for branch in self.branches:
            h = h + branch(F.relu(h))
        return self.readout(h)


class AttentionBlock(nn.Module):
    """Pre-norm attention over tokens; `fused` calls torch's kernel instead of the formula."""

    def __init__(self, dim: int = 4, heads: int = 2, *, fused: bool = False) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.readout = nn.Linear(dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, dim = x.shape
        shape = (batch, tokens, 3, self.heads, dim // self.heads)
        q, k, v = self.qkv(self.norm(x)).view(shape).permute(2, 0, 3, 1, 4)
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        else:
            mixed = (q @ k.transpose(-1, -2)).softmax(dim=-1) @ v
        return self.readout((x + mixed.transpose(1, 2).reshape(x.shape)).mean(dim=1))


class TiedNet(nn.Module):
    """One matrix used twice, as in tied embeddings."""

    def __init__(self, dim: int = 5) -> None:
        super().__init__()
        self.encode = nn.Linear(dim, dim)
        self.decode = nn.Linear(dim, dim, bias=False)
        self.decode.weight = self.encode.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(torch.tanh(self.encode(x)))


class UnusedParameterNet(nn.Module):
    """A parameter that the loss does not reach, and one that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Parameter(torch.randn(4))
        self.body = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
        self.body[0].bias.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def _models() -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Return each model with the shape of one input sample."""
    return {
        "relu_residual_mlp": (ResidualMLP(), (5,)),
        "tanh_mlp": (nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)), (5,)),
        "layer_norm": (
            nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3)),
            (5,),
        ),
        "group_norm_conv": (
            nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3)
            ),
            (1, 4, 4),
        ),
        "batch_norm_train": (
            nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)),
            (5,),
        ),
        "batch_norm_eval": (
            nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)).eval(),
            (5,),
        ),
        "attention": (AttentionBlock(), (3, 4)),
        "tied_weights": (TiedNet(), (5,)),
        "unused_parameter": (UnusedParameterNet(), (5,)),
    }


def _cases() -> list[Case]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cases = []
        for name, (model, shape) in _models().items():
            model = model.double()
            inputs = torch.randn(10, *shape, dtype=torch.float64)
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.3 * torch.randn_like(parameter))
                training = model.training
                outputs = model.eval()(inputs).shape[1]
                model.train(training)
            squared = torch.randn(10, outputs, dtype=torch.float64)
            labels = torch.randint(outputs, (10,))
            cases += [
                Case(f"{name}-squared", model, squared_loss, inputs, squared),
                Case(f"{name}-cross_entropy", model, F.cross_entropy, inputs, labels),
            ]
    return cases


CASES = _cases()


def trainable(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def _flat_call(case: Case) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return the outputs as a function of the flat trainable parameters, and those."""
    named = trainable(case.model)
    sizes = [tensor.numel() for tensor in named.values()]

    def outputs(flat: Tensor) -> Tensor:
        pieces = torch.split(flat, sizes)
        values = {
            name: piece.view_as(tensor)
            for (name, tensor), piece in zip(named.items(), pieces, strict=True)
        }
        buffers = {name: buffer.clone() for name, buffer in case.model.named_buffers()}
        return functional_call(case.model, values | buffers, (case.inputs,))

    return outputs, torch.cat([tensor.flatten() for tensor in named.values()])


@cache
def dense_jacobian(case: Case) -> Tensor:
    """Return ∂f/∂θ, shape (n·C, dim), by differences of the outputs."""
    outputs, flat = _flat_call(case)
    columns = [
        _sixth_order(lambda point: outputs(point).flatten(), flat, index)
        for index in range(len(flat))
    ]
    return torch.stack(columns, dim=1)


@cache
def dense_hessian(case: Case) -> Tensor:
    """Return ∇²L, shape (dim, dim), by differences of a gradient that has one backward pass."""
    outputs, flat = _flat_call(case)

    def gradient(point: Tensor) -> Tensor:
        point = point.clone().requires_grad_()
        return torch.autograd.grad(case.loss_fn(outputs(point), case.targets), point)[0]

    columns = [_sixth_order(gradient, flat, index) for index in range(len(flat))]
    return torch.stack(columns, dim=1)


def _sixth_order(function: Callable[[Tensor], Tensor], at: Tensor, index: int) -> Tensor:
    """Return ∂function/∂at[index] with error O(step⁶)."""
    shift = torch.zeros_like(at)
    shift[index] = step = 3e-4  # small enough that no ReLU switches
    one, two, three = (function(at + m * shift) - function(at - m * shift) for m in (1, 2, 3))
    return (45 * one - 9 * two + three) / (60 * step)
