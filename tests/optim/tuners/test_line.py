"""Slope and curvature along an update: three ways that must agree."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.tuners.cdat import CDAT
from lrtransfer.optim.tuners.forward_over_forward import Task, second_derivative
from lrtransfer.optim.tuners.line import Curvature
from tests.curvature.cases import CASES, AttentionBlock, Case, dense_hessian

from .problems import Dropout, Quadratic, adamw, batch, momentum, sgd

METHODS = get_args(Curvature)


def first_step(case: Case, method: str) -> CDAT:
    trained = [p for p in case.model.parameters() if p.requires_grad]
    base = torch.optim.SGD(trained, lr=1.0)
    tuner = CDAT(base, curvature=method, max_learning_rate=1e-30)  # type: ignore[arg-type]
    tuner.step(model=case.model, loss_fn=case.loss_fn, batch=case.batch)
    return tuner


def exact(case: Case) -> tuple[float, float]:
    trained = [p for p in case.model.parameters() if p.requires_grad]
    loss = case.loss_fn(case.model(case.inputs), case.targets)
    gradient = torch.cat(
        [
            (torch.zeros_like(p) if g is None else g).reshape(-1)
            for p, g in zip(
                trained, torch.autograd.grad(loss, trained, allow_unused=True), strict=True
            )
        ]
    )
    hessian = dense_hessian(case)
    return (gradient @ gradient).item(), (gradient @ hessian @ gradient).item()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("method", ["double_backward", "forward"])
def test_every_network_has_the_dense_hessian_s_curvature(case: Case, method: str) -> None:
    n, d = exact(case)
    tuner = first_step(case, method)
    assert tuner.numerator == pytest.approx(n, rel=1e-7)
    assert tuner.directional_sharpness * n == pytest.approx(d, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_a_quadratic_has_its_own_curvature(method: str) -> None:
    model = nn.Linear(4, 1, bias=False).double()
    inputs = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def loss_fn(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return 0.5 * (outputs - targets).square().mean()

    tuner = CDAT(momentum(model.parameters()), curvature=method)  # type: ignore[arg-type]
    hessian = inputs.T @ inputs / 9
    for _ in range(4):
        before = model.weight.detach().clone()
        tuner.step(model=model, loss_fn=loss_fn, batch=(inputs, inputs[:, :1]))
        assert tuner.learning_rate
        u = (model.weight.detach() - before).reshape(-1) / tuner.learning_rate
        assert tuner.denominator == pytest.approx((u @ hessian @ u).item(), rel=1e-6)


def test_finite_differences_find_the_curvature_in_float32() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 3))
    data = batch(dtype=torch.float32)
    tuners = {
        name: CDAT(sgd(model.parameters()), sigma=1.0, curvature=name)  # type: ignore[arg-type]
        for name in ("double_backward", "finite_difference")
    }
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    for _ in range(20):
        found = {}
        for name, tuner in tuners.items():
            model.load_state_dict(weights)
            tuner.step(model=model, loss_fn=nn.functional.cross_entropy, batch=data)
            found[name] = tuner.directional_sharpness
        weights = {k: v.clone() for k, v in model.state_dict().items()}
        assert found["finite_difference"] == pytest.approx(found["double_backward"], rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_dropout_draws_the_same_masks_for_slope_and_curvature(method: str) -> None:
    torch.manual_seed(0)
    model = Dropout().double()
    data = batch()
    start = {k: v.clone() for k, v in model.state_dict().items()}
    found = {}
    for name in ("double_backward", method):
        model.load_state_dict(start)
        torch.manual_seed(5)
        tuner = CDAT(sgd(model.parameters()), curvature=name)  # type: ignore[arg-type]
        tuner.step(model=model, loss_fn=nn.functional.cross_entropy, batch=data)
        found[name] = (tuner.directional_sharpness, torch.rand(()).item())
        assert model.body[1].num_batches_tracked == 1  # type: ignore[index]
    assert found[method] == pytest.approx(found["double_backward"], rel=1e-4)


def test_coupled_decay_is_part_of_the_curvature() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    base = torch.optim.SGD(problem.parameters, lr=1.0, weight_decay=2.0)
    tuner = CDAT(base, sigma=1.0)
    hessian = problem.hessian + 2 * torch.eye(3, dtype=torch.float64)
    w = problem.point
    g = hessian @ w
    rate = (g @ g) / (g @ hessian @ g)
    tuner.step(problem.loss)
    assert tuner.learning_rate == pytest.approx(rate.item(), rel=1e-12)
    torch.testing.assert_close(problem.point, w - rate * g, rtol=1e-12, atol=1e-13)


def test_decoupled_decay_is_applied_but_not_measured() -> None:
    one, other = Quadratic([1.0, 4.0, 9.0]), Quadratic([1.0, 4.0, 9.0])
    tuners = CDAT(adamw(one.parameters)), CDAT(torch.optim.Adam(other.parameters, lr=1.0))
    start = one.point
    for tuner, problem in zip(tuners, (one, other), strict=True):
        tuner.step(problem.loss)
    rate = tuners[0].learning_rate
    assert rate
    assert rate == tuners[1].learning_rate
    torch.testing.assert_close(one.point, other.point - rate * 0.1 * start)


def test_forward_mode_needs_the_model() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    tuner = CDAT(sgd(problem.parameters), curvature="forward")
    with pytest.raises(ValueError, match=r"call step\(model=, loss_fn=, batch=\)"):
        tuner.step(problem.loss)


def test_forward_mode_needs_a_model_that_holds_what_moves() -> None:
    problem = Quadratic([1.0, 4.0, 9.0])
    model = nn.Linear(2, 1).double()
    tuner = CDAT(sgd([*model.parameters(), *problem.parameters]), curvature="forward")
    data = torch.ones(3, 2, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="model lacks 2 of the optimizer's parameters"):
        tuner.step(
            model=model,
            loss_fn=lambda out, y: (out - y).square().mean() + problem.loss(),
            batch=data,
        )


@pytest.mark.parametrize("method", METHODS)
def test_fused_attention_has_the_explicit_one_s_curvature(method: str) -> None:
    torch.manual_seed(0)
    explicit = AttentionBlock().double()
    fused = AttentionBlock(fused=True).double()
    fused.load_state_dict(explicit.state_dict())
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(6, 5, 4, generator=generator, dtype=torch.float64), torch.arange(6) % 3
    found = []
    for model, own in ((explicit, "double_backward"), (fused, method)):
        tuner = CDAT(sgd(model.parameters()), curvature=own)  # type: ignore[arg-type]
        tuner.step(model=model, loss_fn=nn.functional.cross_entropy, batch=data)
        found.append(tuner.directional_sharpness)
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_nested_forward_mode_refuses_what_it_gets_wrong() -> None:
    class Solved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([[2.0, 0.3], [0.1, 1.5]]).double())

        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.solve(self.w, x)

    model, x = Solved(), torch.tensor([[1.0], [2.0]]).double()
    task = Task(model, nn.MSELoss(), (x, torch.zeros(2, 1).double()))
    with pytest.raises(ValueError, match="linalg_solve are wrong"):
        second_derivative(task, [model.w], [torch.ones(2, 2).double()])
