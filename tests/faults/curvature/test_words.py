"""What cannot be measured is refused by name, before anything is touched."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lrtransfer.curvature import (
    GaussNewtonOperator,
    HessianOperator,
    critical_sharpness,
    directional_sharpness,
    eigenvalues,
    sharpness,
)

X, Y = torch.randn(8, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
HALVES = [(X[:4], Y[:4]), (X[4:], Y[4:])]


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


def inference_model() -> Any:
    with torch.inference_mode():
        return network()


def sparse_model() -> Any:
    model = network()
    model[0].weight = nn.Parameter(model[0].weight.detach().to_sparse())
    return model


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), "run one forward pass"),
    "meta": (lambda: network().to("meta"), "meta device"),
    "sparse": (sparse_model, "dense parameters"),
    "inference": (inference_model, "inference_mode"),
    "scripted": (lambda: torch.jit.script(network()), "scripted or traced"),
    "traced": (
        lambda: torch.jit.trace(network(), X),  # type: ignore[no-untyped-call]
        "scripted or traced",
    ),
    "function": (lambda: torch.tanh, "pass an nn.Module"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", MODELS)
def test_a_model_without_ordinary_values_is_named(kind: str) -> None:
    make, words = MODELS[kind]
    with pytest.raises(ValueError, match=words):
        sharpness(make(), F.cross_entropy, (X, Y))


@pytest.mark.parametrize("loss", [1.0, None, (torch.ones(()),), "loss"], ids=repr)
def test_a_loss_that_is_no_tensor_is_named(loss: Any) -> None:
    model, direction = network(), torch.ones(43)
    for measure in (HessianOperator, GaussNewtonOperator, directional_sharpness):
        with pytest.raises(ValueError, match=f"returned {type(loss).__name__}"):
            measure(model, lambda *_: loss, (X, Y))
    with pytest.raises(ValueError, match=f"returned {type(loss).__name__}"):
        critical_sharpness(model, lambda *_: loss, (X, Y), direction)


def test_arguments_of_another_type_are_named() -> None:
    model = network()
    with pytest.raises(ValueError, match="there is no batch"):
        sharpness(model, F.cross_entropy, None)  # type: ignore[arg-type]
    optimizer: Any = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match=r"optimizer\.param_groups"):
        sharpness(model, F.cross_entropy, (X, Y), groups=optimizer)
    with pytest.raises(ValueError, match=r"k is 1\.5"):
        eigenvalues(HessianOperator(model, F.cross_entropy, (X, Y)), 1.5)  # type: ignore[arg-type]


def test_an_embedding_with_max_norm_is_refused_untouched() -> None:
    embedding = nn.Embedding(6, 4, max_norm=0.1)
    model = nn.Sequential(embedding, nn.Flatten(), nn.Linear(8, 3))
    before = embedding.weight.detach().clone()
    with pytest.raises(ValueError, match=r"max_norm=0\.1"):
        sharpness(model, F.cross_entropy, (torch.randint(6, (8, 2)), Y))
    assert torch.equal(embedding.weight, before)


def test_sparse_gradients_are_named() -> None:
    model = nn.Sequential(nn.Embedding(6, 4, sparse=True), nn.Flatten(), nn.Linear(8, 3))
    with pytest.raises(ValueError, match="sparse=False"):
        sharpness(model, F.cross_entropy, (torch.randint(6, (8, 2)), Y))


LOSSES: dict[str, tuple[Callable[..., Tensor], str]] = {
    "sum": (nn.CrossEntropyLoss(reduction="sum"), "sum over samples"),
    "partial sum": (partial(F.cross_entropy, reduction="sum"), "sum over samples"),
    "mse sum": (nn.MSELoss(reduction="sum"), "sum over samples"),
    "weights": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])), "class weights"),
    "ignored": (nn.CrossEntropyLoss(ignore_index=2), "let -100 stand for them"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_that_is_no_mean_over_samples_is_refused_in_chunks(kind: str) -> None:
    loss_fn, words = LOSSES[kind]
    model = network()
    for measure in (HessianOperator, GaussNewtonOperator):
        with pytest.raises(ValueError, match=words):
            measure(model, loss_fn, HALVES)
    with pytest.raises(ValueError, match=words):
        critical_sharpness(model, loss_fn, HALVES, torch.ones(43))


def test_one_batch_of_such_a_loss_and_chunks_of_a_mean_are_measured() -> None:
    model = network()
    total = sharpness(model, nn.CrossEntropyLoss(reduction="sum"), (X, Y)).value
    mean = sharpness(model, nn.CrossEntropyLoss(), HALVES).value
    assert total == pytest.approx(8 * mean, rel=1e-3)


def test_lengths_whose_squares_leave_float32_make_no_difference() -> None:
    model, direction = network(), torch.randn(43)
    value = directional_sharpness(model, F.cross_entropy, (X, Y), direction).value
    for length in (1e-30, 1e27):
        scaled = directional_sharpness(model, F.cross_entropy, (X, Y), length * direction)
        assert scaled.value == pytest.approx(value, rel=1e-5)
    tiny = directional_sharpness(model, lambda f, y: 1e-30 * F.cross_entropy(f, y), (X, Y))
    plain = directional_sharpness(model, F.cross_entropy, (X, Y))
    assert tiny.value == pytest.approx(1e-30 * plain.value, rel=1e-5)
    assert tiny.step_sharpness == pytest.approx(1e-30 * plain.step_sharpness, rel=1e-5)
