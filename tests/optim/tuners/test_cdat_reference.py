"""CDAT around torch's optimizers takes the steps of the page that tells it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.cdat_reference import cdat

from .problems import Base, batch, flat, loss_of, momentum, network, sgd


def descent(gradient: Tensor) -> Tensor:
    return -gradient


def heavy_ball() -> Callable[[Tensor], Tensor]:
    """Return SGD's update with momentum 0.9, as a function of the gradients so far."""
    buffer: Tensor | None = None

    def direction(gradient: Tensor) -> Tensor:
        nonlocal buffer
        buffer = gradient if buffer is None else 0.9 * buffer + gradient
        return -buffer

    return direction


def loss_of_vector(model: nn.Module, data: tuple[Tensor, Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the loss as a function of all weights in one vector."""
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def loss(w: Tensor) -> Tensor:
        parts = torch.split(w, [shape.numel() for shape in shapes.values()])
        weights = {n: part.view(s) for (n, s), part in zip(shapes.items(), parts, strict=True)}
        outputs = functional_call(model, weights, (data[0],))
        return nn.functional.cross_entropy(outputs, data[1])

    return loss


@pytest.mark.parametrize(
    ("base", "direction", "sigma", "beta"),
    [
        (sgd, descent, 1.0, 0.0),
        (sgd, descent, 2.0, 0.0),
        (sgd, descent, 2.0, 0.9),
        (momentum, heavy_ball(), 1.5, 0.5),
    ],
)
def test_both_forms_take_the_same_steps(
    base: Base, direction: Callable[[Tensor], Tensor], sigma: float, beta: float
) -> None:
    model, data = network(), batch()
    start = flat(model)
    told = cdat(loss_of_vector(network(), data), start, direction, sigma=sigma, beta=beta)
    tuner = CDAT(base(model.parameters()), sigma=sigma, decay=beta)
    for _ in range(20):
        tuner.step(loss_of(model, data))
        weights, eta = next(told)
        assert tuner.learning_rate == pytest.approx(eta, rel=1e-6)
        torch.testing.assert_close(
            flat(model), weights, rtol=1e-6, atol=1e-7
        )  # rounding grows on the edge
    assert (flat(model) - start).norm() > 0.1
