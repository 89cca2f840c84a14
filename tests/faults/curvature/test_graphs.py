"""Graphs that would drop a part of the derivatives are refused by name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from lrtransfer.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    NTKOperator,
    ResidualOperator,
    sharpness,
)
from lrtransfer.curvature.graph import check_graph

BATCH = torch.randn(8, 4, dtype=torch.float64), torch.randint(3, (8,))
OPERATORS: list[Callable[[nn.Module], object]] = [
    lambda model: HessianOperator(model, F.cross_entropy, BATCH),
    lambda model: GaussNewtonOperator(model, F.cross_entropy, BATCH),
    lambda model: ResidualOperator(model, F.cross_entropy, BATCH),
    lambda model: NTKOperator(model, BATCH[0]),
]


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grads[0]


class MarkedCube(Cube):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grads[0]


class DetachedCube(Cube):
    """What a backward pass in numpy amounts to."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return (3 * x**2 * grads[0]).detach()


class Net(nn.Module):
    def __init__(self, activation: Callable[[Tensor], Tensor], reentrant: bool | None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.block, self.readout = nn.Linear(4, 6), nn.Linear(6, 3)
        self.activation, self.reentrant = activation, reentrant
        self.double()

    def forward(self, x: Tensor) -> Any:
        def hidden(x: Tensor) -> Tensor:
            return self.activation(self.block(x))

        if self.reentrant is None:
            return self.readout(hidden(x))
        x = x.clone().requires_grad_()
        return self.readout(checkpoint(hidden, x, use_reentrant=self.reentrant))


@pytest.mark.parametrize("build", OPERATORS)
def test_reentrant_checkpointing_is_refused_with_its_remedy(
    build: Callable[[nn.Module], object],
) -> None:
    with pytest.raises(ValueError, match="use_reentrant=False"):
        build(Net(torch.tanh, reentrant=True))


@pytest.mark.parametrize("build", OPERATORS)
def test_a_function_marked_once_differentiable_is_refused_by_name(
    build: Callable[[nn.Module], object],
) -> None:
    with pytest.raises(ValueError, match="MarkedCubeBackward"):
        build(Net(MarkedCube.apply, reentrant=None))


def test_other_checkpointing_and_custom_functions_are_measured() -> None:
    plain = sharpness(Net(lambda x: x**3, None), F.cross_entropy, BATCH, tolerance=1e-9).value
    custom = sharpness(Net(Cube.apply, False), F.cross_entropy, BATCH, tolerance=1e-9).value
    assert custom == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_that_are_not_symmetric_are_refused(dtype: torch.dtype) -> None:
    net = Net(DetachedCube.apply, None).to(dtype)
    with pytest.raises(ValueError, match="outside autograd"):
        sharpness(net, F.cross_entropy, (BATCH[0].to(dtype), BATCH[1]))


def test_a_loss_that_reaches_no_parameter_is_refused() -> None:
    net, x = Net(torch.tanh, None), BATCH[0].clone().requires_grad_()
    with pytest.raises(RuntimeError, match="does not depend on any trainable parameter"):
        HessianOperator(net, lambda _, __: x.square().mean(), BATCH)


def test_the_error_node_of_a_gradient_is_found_too() -> None:
    net = Net(MarkedCube.apply, None)
    gradient = torch.autograd.grad(
        F.cross_entropy(net(BATCH[0]), BATCH[1]), list(net.parameters()), create_graph=True
    )
    with pytest.raises(ValueError, match="once_differentiable"):
        check_graph(*gradient)


def test_a_graph_deeper_than_the_recursion_limit_is_walked() -> None:
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = y + 1
    check_graph(y, x.detach())
