"""The probe of the Hessian's two parts against dense float64 matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lrtransfer.curvature import Eigenpairs, LinearOperator, eigenvalues
from lrtransfer.study.models.two_layer_linear import TwoLayerLinear
from lrtransfer.study.plan.catalog import load
from lrtransfer.study.probes import Measurement

COLUMNS = ["gauss_newton", "hessian_residual"]


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ½‖f − y‖², mean over samples."""
    return 0.5 * (outputs - targets).square().sum(-1).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": squared,
    "cross_entropy": functional.cross_entropy,
}


def seen(
    loss: str = "squared", *, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Measurement:
    """Return what the probe sees of a small tanh net with unequal learning rates."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    targets = torch.randn(6, 3, generator=generator)
    return Measurement(
        model=model.to(dtype),
        loss=LOSSES[loss],
        inputs=torch.randn(6, 4, generator=generator).to(dtype),
        targets=targets.to(dtype) if loss == "squared" else targets.argmax(-1),
        tolerance=1e-7,
        relative_rates={"0.weight": 3.0, "0.bias": 0.5, "2.weight": 2.0, "2.bias": 1.0},
        optimizer=torch.optim.SGD(model.parameters()),
        generator=torch.Generator().manual_seed(seed),
    )


def dense(at: Measurement) -> tuple[Tensor, Tensor]:
    """Return D^½GD^½ and D^½RD^½, shapes (dim, dim), R as the Hessian less G."""
    named = dict(at.model.named_parameters())
    sizes = [p.numel() for p in named.values()]

    def outputs(weights: Tensor) -> Tensor:
        shaped = {
            n: w.view_as(p)
            for (n, p), w in zip(named.items(), torch.split(weights, sizes), strict=True)
        }
        made: Tensor = torch.func.functional_call(at.model, shaped, (at.inputs,))
        return made

    weights = torch.cat([p.detach().flatten() for p in named.values()])
    found = outputs(weights).detach()
    jacobian = torch.func.jacrev(outputs)(weights).flatten(0, 1)
    of_outputs = torch.func.hessian(lambda f: at.loss(f, at.targets))(found)
    gauss_newton = jacobian.T @ of_outputs.reshape(found.numel(), -1) @ jacobian
    hessian = torch.func.hessian(lambda w: at.loss(outputs(w), at.targets))(weights)
    root = torch.cat(
        [
            torch.full((p.numel(),), at.relative_rates[n]).to(p.dtype).sqrt()
            for n, p in named.items()
        ]
    )
    scale = root[:, None] * root
    return scale * gauss_newton, scale * (hessian - gauss_newton)


@pytest.mark.parametrize("loss", LOSSES)
def test_both_columns_are_the_largest_eigenvalues_of_the_dense_parts(loss: str) -> None:
    at = seen(loss)
    row = load("probes", "gauss_newton")().measure(at)
    assert list(row) == COLUMNS
    exact = [torch.linalg.eigvalsh(part)[-1].item() for part in dense(at)]
    assert list(row.values()) == pytest.approx(exact, rel=1e-9)
    assert row["hessian_residual"] > 0.05 * row["gauss_newton"]


@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_the_residual_part_of_the_two_layer_linear_net_is_root_k_r(size: float) -> None:
    """In float32 with γ = √N: a difference H − G could not show errors of one in a million."""
    dimension, width = 4, 6
    model = TwoLayerLinear(in_features=dimension, out_features=1, width=width)
    model.register_forward_hook(lambda *called: called[-1] / (math.sqrt(dimension) * width))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        inputs = math.sqrt(dimension) * torch.eye(dimension)
        outputs = model(inputs)
        targets = outputs + size * torch.ones(dimension, 1)
        r = (outputs - targets).norm().item() / math.sqrt(dimension)
    at = Measurement(
        model=model,
        loss=squared,
        inputs=inputs,
        targets=targets,
        tolerance=1e-5,
        relative_rates={"embed.weight": width, "readout.weight": width},
        optimizer=torch.optim.SGD(model.parameters()),
        generator=torch.Generator().manual_seed(0),
    )
    row = load("probes", "gauss_newton")().measure(at)
    assert row["hessian_residual"] == pytest.approx(math.sqrt(1 / dimension) * r, rel=1e-4)
    first, second = model.embed.weight.double(), model.readout.weight.double()
    kernel = (first.T @ first + second.square().sum() * torch.eye(4)) / (width * dimension)
    assert row["gauss_newton"] == pytest.approx(torch.linalg.eigvalsh(kernel)[-1].item(), rel=1e-4)


def test_where_nothing_is_wrong_the_residual_part_is_zero() -> None:
    at = seen()
    exact = at.model(at.inputs).detach()
    row = load("probes", "gauss_newton")().measure(replace(at, targets=exact))
    assert row["hessian_residual"] == 0
    assert row["gauss_newton"] > 0


def test_a_warm_start_needs_fewer_products_and_finds_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probe = load("probes", "gauss_newton")()
    cold = probe.measure(seen())
    spent: list[int] = []

    def counting(operator: LinearOperator, **options: Any) -> Eigenpairs:
        found = eigenvalues(operator, **options)
        spent.append(found.products)
        return found

    monkeypatch.setattr("lrtransfer.study.probes.gauss_newton.eigenvalues", counting)
    assert probe.measure(seen(seed=1)) == pytest.approx(cold, rel=1e-9)
    assert load("probes", "gauss_newton")().measure(seen(seed=1)) == pytest.approx(cold, rel=1e-9)
    assert spent[0] < spent[2]
    assert spent[1] < spent[3]


def test_it_goes_on_from_its_state_bit_equal() -> None:
    first, twin, fresh = (load("probes", "gauss_newton")() for _ in range(3))
    assert first.state() == {}
    first.measure(seen())
    kept = first.state()
    assert list(kept) == COLUMNS
    twin.load_state(kept)
    expected = first.measure(seen(seed=1))
    assert twin.measure(seen(seed=1)) == expected
    assert all(torch.equal(twin.state()[name], first.state()[name]) for name in COLUMNS)
    assert fresh.measure(seen(seed=1)) != expected


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_give_nan_and_keep_the_last_state(bad: float) -> None:
    probe, at = load("probes", "gauss_newton")(), seen()
    probe.measure(at)
    before = probe.state()
    with torch.no_grad():
        at.model.get_parameter("2.weight")[0, 0] = bad
    row = probe.measure(at)
    assert list(row) == COLUMNS
    assert all(math.isnan(value) for value in row.values())
    assert all(probe.state()[name] is before[name] for name in COLUMNS)


def test_it_changes_neither_weights_gradients_nor_random_state() -> None:
    at = seen("cross_entropy")
    for parameter in at.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = [p.detach().clone() for p in at.model.parameters()]
    random = torch.get_rng_state()
    load("probes", "gauss_newton")().measure(at)
    for weight, parameter in zip(before, at.model.parameters(), strict=True):
        assert torch.equal(parameter.detach(), weight)
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, torch.ones_like(weight))
        assert parameter.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
