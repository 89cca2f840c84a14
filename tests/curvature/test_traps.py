"""What breaks other tools, each on a network: the answer is right, or an error says why not.

Affine LayerNorm, GroupNorm, BatchNorm in both modes, attention, unused and tied parameters and
ragged batches are among the shared cases, which every operator and solver is tested on.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrtransfer.curvature import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    NonFiniteCurvatureError,
    NTKOperator,
    ResidualOperator,
    critical_sharpness,
    curvature_operator,
    dense,
    directional_sharpness,
    eigenvalues,
    sharpness,
    spectral_density,
    trace,
)
from lrtransfer.study.plan.catalog import load

from .cases import CASES, AttentionBlock, Case, dense_hessian, squared_loss


def by_name(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_a_transformer_whose_smallest_eigenvalue_exceeds_the_largest_in_modulus() -> None:
    """Power iteration returns -6.3, where sharpness is 3.6."""
    torch.manual_seed(3)
    sizes = {"width": 4, "depth": 2, "block_size": 3, "heads": 2, "mlp_ratio": 1, "bias": True}
    model = load("models", "gpt")(in_features=0, out_features=5, **sizes).double()
    tokens = torch.randint(5, (6, 4))
    batch = tokens[:, :-1], tokens[:, 1:]

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())

    spectrum = torch.linalg.eigvalsh(dense(HessianOperator(model, loss_fn, batch)))
    assert -spectrum[0] > 1.5 * spectrum[-1]
    found = sharpness(model, loss_fn, batch, tolerance=1e-9)
    assert found.value == pytest.approx(spectrum[-1].item(), abs=1e-8)
    assert found.smallest == pytest.approx(spectrum[0].item(), rel=1e-3)
    pairs = eigenvalues(HessianOperator(model, loss_fn, batch), which="magnitude", tolerance=1e-9)
    assert pairs.values.item() == pytest.approx(spectrum[0].item(), abs=1e-8)


def test_affine_layer_norm_where_forward_over_reverse_is_wrong() -> None:
    case = by_name("layer_norm-cross_entropy")
    exact = torch.linalg.eigvalsh(dense_hessian(case))[-1].item()
    assert sharpness(case.model, case.loss_fn, case.batch, tolerance=1e-9).value == pytest.approx(
        exact, abs=1e-8
    )


def test_fused_attention_has_a_hessian() -> None:
    """Its fused kernels have no second derivative."""
    model = AttentionBlock(fused=True).double()
    batch = torch.randn(4, 3, 4, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    for operator in (HessianOperator, GaussNewtonOperator, ResidualOperator):
        matrix = dense(operator(model, squared_loss, batch))
        assert torch.isfinite(matrix).all()
        torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_modes_differ_and_buffers_stay(training: bool) -> None:
    case = by_name("batch_norm_train-squared")
    model = copy.deepcopy(case.model).train(training)
    with torch.no_grad():
        model[1].running_var.fill_(2.5)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    top = sharpness(model, case.loss_fn, case.batch, tolerance=1e-9).value
    other = sharpness(model.train(not training), case.loss_fn, case.batch, tolerance=1e-9).value
    assert top != pytest.approx(other, rel=1e-3)
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name])


def test_a_unit_exactly_at_its_kink_gets_autograds_second_derivative() -> None:
    """ReLU has slope 0 and curvature 0 at 0: the unit counts as off, without NaN."""
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    with torch.no_grad():
        model[0].weight[0] = 0.0
        model[0].bias[0] = 0.0
    batch = torch.randn(6, 2, dtype=torch.float64), torch.randn(6, 1, dtype=torch.float64)
    off = copy.deepcopy(model)
    with torch.no_grad():
        off[0].bias[0] = -1.0
    for operator in (HessianOperator, GaussNewtonOperator):
        kink, plain = (
            dense(operator(model, squared_loss, batch)),
            dense(operator(off, squared_loss, batch)),
        )
        torch.testing.assert_close(kink, plain, rtol=0, atol=1e-14)


def test_a_relu_network_is_piecewise_quadratic_up_to_the_next_kink() -> None:
    """Within one piece differences of any length give the operator's product exactly."""
    case = by_name("relu_residual_mlp-squared")
    operator = HessianOperator(case.model, case.loss_fn, case.batch)
    last = torch.zeros(operator.dim, dtype=torch.float64)
    last[-3:] = 1.0  # the readout's bias moves no unit
    moved = copy.deepcopy(case.model)
    with torch.no_grad():
        moved.readout.bias += 100.0
    difference = HessianOperator(moved, case.loss_fn, case.batch).gradient - operator.gradient
    torch.testing.assert_close(100 * operator(last), difference, rtol=0, atol=1e-10)


@pytest.mark.parametrize("k", [1, 3, 15])
def test_repeated_eigenvalues_of_a_linear_network(k: int) -> None:
    """Every eigenvalue of XᵀX/n comes once per output."""
    torch.manual_seed(0)
    x = torch.randn(20, 5, dtype=torch.float64)
    model = nn.Linear(5, 3, bias=False).double()
    batch = x, torch.zeros(20, 3, dtype=torch.float64)
    exact = torch.linalg.eigvalsh(x.T @ x / 20).flip(0).repeat_interleave(3)
    pairs = eigenvalues(HessianOperator(model, squared_loss, batch), k, tolerance=1e-9)
    assert pairs.converged
    torch.testing.assert_close(pairs.values, exact[:k], rtol=0, atol=1e-8)


def test_an_all_zero_spectrum() -> None:
    model = nn.Linear(5, 3).double()

    def flat(outputs: Tensor, _: Tensor) -> Tensor:
        return outputs.mean()

    batch = torch.randn(4, 5, dtype=torch.float64), torch.zeros(4)
    operator = HessianOperator(model, flat, batch)
    pairs = eigenvalues(operator, 4)
    assert pairs.converged
    assert pairs.values.tolist() == [0] * 4
    assert trace(operator).value == 0
    density = spectral_density(operator, probes=2, steps=5)
    assert density.moment(2) == (0, 0)
    assert density.converged
    assert directional_sharpness(model, flat, batch).value == 0


def test_fewer_samples_than_eigenvalues_asked_for() -> None:
    """Gauss-Newton has rank n·C = 2; the third and later eigenvalues are zero, and found so."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    batch = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, 1, dtype=torch.float64)
    operator = GaussNewtonOperator(model, squared_loss, batch)
    pairs = eigenvalues(operator, 6, tolerance=1e-9)
    assert pairs.converged
    assert (pairs.values[:2] > 1e-3).all()
    assert pairs.values[2:].abs().max() < 1e-10
    with pytest.raises(ValueError, match="choose 1 to 2"):
        eigenvalues(NTKOperator(model, batch[0]), 3)


def test_one_sample_and_one_parameter() -> None:
    model = nn.Linear(1, 1, bias=False).double()
    batch = torch.full((1, 1), 3.0).double(), torch.zeros(1, 1).double()
    assert sharpness(model, squared_loss, batch).value == pytest.approx(9)
    assert trace(HessianOperator(model, squared_loss, batch)).value == pytest.approx(9)


@pytest.mark.parametrize("name", ["hessian", "ggn", "residual", "fisher", "ntk"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_model_is_named_and_left_alone(name: Any, value: float) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.1), nn.Linear(5, 3))
    with torch.no_grad():
        model[3].weight[0, 0] = value
    batch = torch.randn(6, 4), torch.randint(3, (6,))
    state = torch.get_rng_state()
    with pytest.raises(NonFiniteCurvatureError):
        eigenvalues(curvature_operator(name, model, F.cross_entropy, batch))
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(
    "measure",
    [
        lambda m, b: directional_sharpness(m, F.cross_entropy, b),
        lambda m, b: critical_sharpness(m, F.cross_entropy, b, torch.ones(35)),
        lambda m, b: trace(FisherOperator(m, b[0])),
        lambda m, b: sharpness(m, F.cross_entropy, b),
    ],
    ids=["directional", "critical", "trace", "sharpness"],
)
def test_every_instrument_refuses_a_diverged_model(measure: Callable[..., object]) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 3))
    with torch.no_grad():
        model[0].bias[0] = math.nan
    with pytest.raises(NonFiniteCurvatureError):
        measure(model, (torch.randn(6, 4), torch.randint(3, (6,))))
