"""The Hessian operator against dense float64 differences."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrtransfer.curvature import HessianOperator, NonFiniteCurvatureError, dense, sharpness

from .cases import CASES, AttentionBlock, Case, dense_hessian, squared_loss, trainable

TANH = next(case for case in CASES if case.name == "tanh_mlp-squared")
SEPARABLE = [case for case in CASES if case.separable]


def scale_of(case: Case) -> dict[str, float]:
    return {name: 0.5 + 0.75 * i for i, name in enumerate(trainable(case.model))}


def scale_diagonal(case: Case) -> torch.Tensor:
    scale = scale_of(case)
    return torch.cat(
        [
            torch.full((p.numel(),), scale[name]).double()
            for name, p in trainable(case.model).items()
        ]
    )


def test_products_equal_dense_hessian(case: Case) -> None:
    matrix = dense(HessianOperator(case.model, case.loss_fn, case.batch))
    torch.testing.assert_close(matrix, dense_hessian(case), rtol=0, atol=1e-10)


def test_operator_is_symmetric_to_rounding(case: Case) -> None:
    matrix = dense(HessianOperator(case.model, case.loss_fn, case.batch))
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-13)


def test_scale_multiplies_both_sides_by_its_root(case: Case) -> None:
    matrix = dense(HessianOperator(case.model, case.loss_fn, case.batch, scale=scale_of(case)))
    root = scale_diagonal(case).sqrt()
    expected = root[:, None] * dense_hessian(case) * root
    torch.testing.assert_close(matrix, expected, rtol=0, atol=1e-9)


def test_scale_may_hold_a_number_for_every_entry(case: Case) -> None:
    generator = torch.Generator().manual_seed(5)
    scale = {
        name: torch.rand(p.shape, generator=generator, dtype=p.dtype) + 0.1
        for name, p in case.model.named_parameters()
        if p.requires_grad
    }
    root = torch.cat([value.flatten() for value in scale.values()]).sqrt()
    matrix = dense(HessianOperator(case.model, case.loss_fn, case.batch, scale=scale))
    expected = root[:, None] * dense_hessian(case) * root
    torch.testing.assert_close(matrix, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", SEPARABLE, ids=lambda case: case.name)
def test_ragged_chunks_are_weighted_by_their_samples(case: Case) -> None:
    whole = HessianOperator(case.model, case.loss_fn, case.batch)
    chunked = HessianOperator(case.model, case.loss_fn, case.ragged)
    torch.testing.assert_close(dense(chunked), dense(whole), rtol=0, atol=1e-12)
    torch.testing.assert_close(chunked.gradient, whole.gradient, rtol=0, atol=1e-13)
    assert chunked.loss == pytest.approx(whole.loss, abs=1e-13)


def test_chunks_from_an_iterator_are_read_once_and_kept() -> None:
    chunked = HessianOperator(TANH.model, TANH.loss_fn, iter(TANH.ragged))
    torch.testing.assert_close(dense(chunked), dense_hessian(TANH), rtol=0, atol=1e-10)


def test_loss_and_unscaled_gradient_come_with_the_operator(case: Case) -> None:
    operator = HessianOperator(case.model, case.loss_fn, case.batch, scale=scale_of(case))
    loss = case.loss_fn(case.model(case.inputs), case.targets)
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    gradient = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    assert operator.loss == pytest.approx(loss.item(), abs=1e-14)
    torch.testing.assert_close(operator.gradient, torch.cat([g.flatten() for g in gradient]))


def test_products_are_counted() -> None:
    operator = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch)
    for _ in range(3):
        operator(torch.ones(operator.dim, dtype=torch.float64))
    assert operator.products == 3


def test_inputs_may_be_a_dict() -> None:
    class DictNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = TANH.model

        def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
            return self.body(x["features"])

    operator = HessianOperator(DictNet(), TANH.loss_fn, ({"features": TANH.inputs}, TANH.targets))
    torch.testing.assert_close(dense(operator), dense_hessian(TANH), rtol=0, atol=1e-10)


def test_fused_attention_has_the_curvature_of_the_explicit_formula() -> None:
    explicit, fused = AttentionBlock().double(), AttentionBlock(fused=True).double()
    fused.load_state_dict(explicit.state_dict())
    batch = torch.randn(4, 3, 4, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    expected = dense(HessianOperator(explicit, squared_loss, batch))
    torch.testing.assert_close(dense(HessianOperator(fused, squared_loss, batch)), expected)


@pytest.mark.parametrize("chunked", [False, True])
def test_dropout_draws_the_same_mask_in_every_product(chunked: bool) -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    batch = TANH.ragged if chunked else TANH.batch
    operator = HessianOperator(model, squared_loss, batch)
    matrix = dense(operator)
    torch.testing.assert_close(matrix, dense(operator), rtol=0, atol=0)
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-12)


def test_a_mode_changed_later_does_not_reach_rebuilt_chunks() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3)).double()
    operator = HessianOperator(model, squared_loss, TANH.ragged)
    before = dense(operator)
    model.eval()
    torch.testing.assert_close(dense(operator), before, rtol=0, atol=0)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("chunked", [False, True])
def test_model_and_random_state_are_left_as_found(case: Case, chunked: bool) -> None:
    model = case.model
    model.zero_grad()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [parameter.requires_grad for parameter in model.parameters()]
    random_state = torch.get_rng_state()

    sharpness(model, case.loss_fn, case.ragged if chunked else case.batch)

    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    for parameter in model.parameters():
        assert parameter.grad is None or torch.equal(parameter.grad, torch.ones_like(parameter))
    model.zero_grad()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradient_free_contexts_do_not_matter(context: Callable[[], torch.no_grad]) -> None:
    expected = sharpness(TANH.model, TANH.loss_fn, TANH.batch).value
    with context():
        assert sharpness(TANH.model, TANH.loss_fn, TANH.batch).value == expected


def test_autocast_does_not_lower_the_precision() -> None:
    exact = sharpness(TANH.model, TANH.loss_fn, TANH.batch, tolerance=1e-6).value
    batch = TANH.inputs.float(), TANH.targets.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = sharpness(copy.deepcopy(TANH.model).float(), TANH.loss_fn, batch, tolerance=1e-4)
    assert single.value == pytest.approx(exact, rel=1e-5)


def test_loss_linear_in_the_parameters_has_zero_curvature() -> None:
    model = nn.Linear(5, 1).double()
    operator = HessianOperator(model, lambda f, y: f.mean(), TANH.batch)
    assert torch.count_nonzero(dense(operator)) == 0
    assert sharpness(model, lambda f, y: f.mean(), TANH.batch).value == 0


@pytest.mark.parametrize("batch", [TANH.batch, TANH.ragged])
def test_changed_parameters_raise(batch: Any) -> None:
    model = nn.Linear(5, 3).double()
    operator = HessianOperator(model, squared_loss, batch)
    with torch.no_grad():
        model.weight += 1
    with pytest.raises(RuntimeError, match="changed after the operator was built"):
        operator(torch.ones(operator.dim, dtype=torch.float64))


def test_non_finite_loss_raises() -> None:
    x, y = TANH.batch
    with pytest.raises(NonFiniteCurvatureError, match="loss is nan"):
        HessianOperator(TANH.model, TANH.loss_fn, (x * torch.nan, y))


def test_detached_loss_raises() -> None:
    with pytest.raises(RuntimeError, match="do not detach"):
        HessianOperator(TANH.model, lambda f, y: squared_loss(f, y).detach(), TANH.batch)


def test_loss_per_sample_raises() -> None:
    with pytest.raises(ValueError, match="mean over samples"):
        HessianOperator(TANH.model, lambda f, y: F.mse_loss(f, y, reduction="none"), TANH.batch)


def test_vector_of_wrong_length_or_dtype_raises() -> None:
    operator = HessianOperator(TANH.model, TANH.loss_fn, TANH.batch)
    with pytest.raises(ValueError, match="acts on"):
        operator(torch.ones(3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"convert it to torch\.float64"):
        operator(torch.ones(operator.dim))
