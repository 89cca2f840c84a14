"""Every model family against its dense float64 Hessian, by differences of its gradient.

Weights are those that the constructors draw. The oracle shares no derivative rule with the
operators beyond the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrtransfer.curvature import (
    HessianOperator,
    NTKOperator,
    directional_sharpness,
    eigenvalues,
    sharpness,
    spectral_density,
    trace,
)
from lrtransfer.study.plan.catalog import load
from tests.study.models.cases import FIRST

IMAGE = {"in_features": 16, "image_size": 4, "out_features": 3}
TOKENS = {"in_features": 0, "out_features": 5, "block_size": 3, "heads": 2, "mlp_ratio": 1}
# Nets of most families, with kinks and biases; another family is built as its file describes it.
SIZES: dict[str, dict[str, Any]] = {
    "residual_mlp": {"in_features": 6, "out_features": 3, "width": 5, "depth": 2},
    "two_layer_linear": {"in_features": 6, "out_features": 3, "width": 5},
    "convnet": {"in_features": 400, "image_size": 20, "out_features": 3, "width": 2},
    "residual_convnet": IMAGE
    | {"in_features": 256, "image_size": 16, "width": 2, "depth": 3, "norm": "group"},
    "mlp_mixer": IMAGE | {"width": 4, "depth": 2, "patch": 2, "token_hidden": 3, "mlp_ratio": 1},
    "vit": IMAGE | {"width": 4, "depth": 2, "patch": 2, "heads": 2, "mlp_ratio": 1, "bias": True},
    "gpt": TOKENS | {"width": 4, "depth": 2, "bias": True},
    "llama": TOKENS | {"width": 4, "depth": 2, "qk_norm": True},
}
LARGE = {"resnet": IMAGE | {"channels": 1, "width": 1}}  # 2757 parameters at its smallest
FAMILIES = {f: {"out_features": 5} | case.sizes for f, case in FIRST.items() if f not in LARGE}
FAMILIES |= SIZES
SAMPLES = 6


def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy, mean over samples and tokens."""
    return F.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1))


@dataclass(frozen=True, eq=False)
class Network:
    model: nn.Module
    inputs: Tensor
    targets: Tensor

    @property
    def batch(self) -> tuple[Tensor, Tensor]:
        return self.inputs, self.targets

    def gradients(self, points: Tensor) -> Tensor:
        """Return ∇L at each row of `points`, shape (k, dim)."""
        named = dict(self.model.named_parameters())
        sizes = [p.numel() for p in named.values()]

        def loss(flat: Tensor) -> Tensor:
            pieces = torch.split(flat, sizes)
            values = {n: v.view_as(p) for (n, p), v in zip(named.items(), pieces, strict=True)}
            outputs = torch.func.functional_call(self.model, values, (self.inputs,))
            return loss_fn(outputs, self.targets)

        return torch.func.vmap(torch.func.grad(loss), chunk_size=128)(points).detach()

    @property
    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])

    def products(self, directions: Tensor, step: float = 1e-5) -> Tensor:
        """Return H d for each row d, with error O(step⁶).

        Steps three times as long meet kinks of ReLU and max-pool in some of these networks.
        """
        shifts = [m * step * directions for m in (1, 2, 3)]
        one, two, three = (
            self.gradients(self.flat + s) - self.gradients(self.flat - s) for s in shifts
        )
        return (45 * one - 9 * two + three) / (60 * step)


@cache
def network(family: str) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        sizes = (FAMILIES | LARGE)[family]
        model = load("models", family)(**sizes).double()
        if "block_size" in sizes:
            tokens = torch.randint(5, (SAMPLES, sizes["block_size"] + 1))
            return Network(model, tokens[:, :-1], tokens[:, 1:])
        inputs = torch.randn(SAMPLES, sizes["in_features"], dtype=torch.float64)
        return Network(model, inputs, torch.randint(3, (SAMPLES,)))


@cache
def dense(family: str) -> tuple[Tensor, Tensor]:
    """Return all eigenvalues, ascending, and the eigenvectors in columns."""
    net = network(family)
    matrix = net.products(torch.eye(len(net.flat), dtype=torch.float64))
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return values, vectors


def operator_of(family: str) -> HessianOperator:
    net = network(family)
    return HessianOperator(net.model, loss_fn, net.batch)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_ends_of_the_spectrum_equal_the_dense_ones(family: str) -> None:
    exact, _ = dense(family)
    which: Literal["largest", "smallest"]
    for which, expected in (("largest", exact.flip(0)[:3]), ("smallest", exact[:3])):
        pairs = eigenvalues(operator_of(family), 3, which=which, tolerance=1e-8, max_products=3000)
        assert pairs.converged
        torch.testing.assert_close(pairs.values, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_top_eigenvector_lies_in_the_dense_top_eigenspace(family: str) -> None:
    exact, vectors = dense(family)
    net = network(family)
    found = sharpness(net.model, loss_fn, net.batch, tolerance=1e-8)
    space = vectors[:, exact > exact[-1] - 1e-6 * exact[-1]]
    assert torch.linalg.vector_norm(space.T @ found.eigenvector).item() == pytest.approx(
        1, abs=1e-6
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_default_sharpness_is_within_a_thousandth(family: str) -> None:
    exact, _ = dense(family)
    net = network(family)
    found = sharpness(net.model, loss_fn, net.batch)
    assert found.converged
    assert found.value == pytest.approx(exact[-1].item(), rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_trace_is_within_its_error_of_the_dense_one(family: str) -> None:
    exact, _ = dense(family)
    found = trace(operator_of(family), tolerance=0.02, max_products=120)
    assert abs(found.value - exact.sum().item()) <= 4 * found.standard_error + 1e-8
    assert found.standard_error < 0.2 * exact.abs().sum().item()


@pytest.mark.parametrize("family", FAMILIES)
def test_density_moments_are_within_their_errors_of_the_dense_ones(family: str) -> None:
    exact, _ = dense(family)
    density = spectral_density(operator_of(family), probes=60, steps=4)
    for order in (1, 2, 3):
        value, error = density.moment(order)
        assert abs(value - (exact**order).mean().item()) <= 4 * error + 1e-12


@pytest.mark.parametrize("family", FAMILIES)
def test_directional_sharpness_equals_the_dense_quotient(family: str) -> None:
    exact, vectors = dense(family)
    net = network(family)
    gradient = net.gradients(net.flat[None])[0]
    weights = (vectors.T @ gradient) ** 2
    expected = (weights @ exact / weights.sum()).item()
    found = directional_sharpness(net.model, loss_fn, net.batch)
    assert found.value == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("family", FAMILIES)
def test_ntk_top_equals_that_of_the_jacobian(family: str) -> None:
    net = network(family)
    outputs = net.model(net.inputs).flatten()
    rows = [
        torch.cat(
            [
                g.flatten()
                for g in torch.autograd.grad(
                    output,
                    list(net.model.parameters()),
                    retain_graph=True,
                    materialize_grads=True,
                    allow_unused=True,
                )
            ]
        )
        for output in outputs
    ]
    expected = torch.linalg.matrix_norm(torch.stack(rows), 2) ** 2 / SAMPLES
    pairs = eigenvalues(NTKOperator(net.model, net.inputs), tolerance=1e-8)
    assert pairs.values.item() == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("family", LARGE)
def test_a_large_family_agrees_with_arpack_on_differences(family: str) -> None:
    from scipy.sparse.linalg import LinearOperator, eigsh

    net = network(family)
    dim = len(net.flat)

    def product(vector: np.ndarray) -> np.ndarray:
        direction = torch.as_tensor(vector, dtype=torch.float64).reshape(1, dim)
        return net.products(direction)[0].numpy()

    reference = LinearOperator((dim, dim), matvec=product, dtype=np.float64)
    rng = np.random.default_rng(0)
    exact = eigsh(reference, 2, which="LA", tol=1e-9, v0=rng.standard_normal(dim))[0][::-1]
    pairs = eigenvalues(operator_of(family), 2, tolerance=1e-8, max_products=3000)
    assert pairs.values.numpy() == pytest.approx(exact, abs=1e-8)
