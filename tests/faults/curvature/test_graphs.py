"""Graphs that would drop a part of the derivatives are refused by name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import register_parametrization
from torch.utils.checkpoint import checkpoint

import lrtransfer as lt
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


class NormedWeight(nn.Module):
    """What torch's weight norm does, of operations that have all their derivatives."""

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / torch.norm_except_dim(v, 2, 0))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return torch.norm_except_dim(weight, 2, 0), weight


def test_weight_norm_is_refused_by_name_and_its_remedy_is_right() -> None:
    torch.manual_seed(1)
    nets = [nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    weight_norm(nets[0][0])
    register_parametrization(nets[1][0], "weight", NormedWeight())
    with pytest.raises(ValueError, match="weight_norm"):
        HessianOperator(nets[0], F.cross_entropy, BATCH)
    with pytest.raises(ValueError, match="weight_norm"):
        lt.CDAT(torch.optim.SGD(nets[0].parameters(), lr=1.0)).step(
            lambda: F.cross_entropy(nets[0](BATCH[0]), BATCH[1])
        )
    loss_fn = F.cross_entropy
    by_differences = sharpness(nets[0], loss_fn, BATCH, method="finite_difference").value
    remedied = sharpness(nets[1], loss_fn, BATCH, tolerance=1e-6).value
    assert remedied == pytest.approx(by_differences, rel=1e-4)


@pytest.mark.parametrize("method", ["exact", "finite_difference"])
def test_a_hook_on_a_gradient_and_complex_weights_are_refused(method: Any) -> None:
    hooked = nn.Linear(4, 3).double()
    handle = hooked.weight.register_hook(lambda gradient: gradient / 2)
    with pytest.raises(ValueError, match="'weight' has a gradient hook"):
        sharpness(hooked, F.cross_entropy, BATCH, method=method)
    with pytest.raises(ValueError, match="gradient hook"):
        lt.CDAT(torch.optim.SGD(hooked.parameters(), lr=1.0))
    handle.remove()
    sharpness(hooked, F.cross_entropy, BATCH, method=method)
    complex_ones = nn.Linear(2, 1, dtype=torch.complex128)
    batch = torch.ones(3, 2, dtype=torch.complex128), torch.zeros(3)
    with pytest.raises(ValueError, match="one real tensor"):
        sharpness(complex_ones, lambda o, _: o.abs().square().mean(), batch, method=method)
