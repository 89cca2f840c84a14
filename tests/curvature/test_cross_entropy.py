"""The lean cross-entropy: torch's values and derivatives, with less kept."""

import gc
from collections.abc import Callable
from typing import Any, Literal
from weakref import WeakSet

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.curvature import HessianOperator, cross_entropy
from lrtransfer.curvature.cross_entropy import lean_cross_entropy

TARGETS = torch.tensor([0, 3, -100, 2, 1])


def logits() -> Tensor:
    torch.manual_seed(0)
    return (3 * torch.randn(5, 4, dtype=torch.float64)).requires_grad_()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_value_and_both_derivatives_are_torchs(reduction: Literal["mean", "sum"]) -> None:
    found = []
    for function in (cross_entropy, F.cross_entropy):
        at = logits()
        loss = 3 * function(at, TARGETS, reduction=reduction)
        (gradient,) = torch.autograd.grad(loss, at, create_graph=True)
        along = torch.linspace(-1, 1, 20, dtype=torch.float64).view(5, 4)
        (product,) = torch.autograd.grad(gradient, at, along)
        found.append((loss.detach(), gradient.detach(), product))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-14)


def test_a_loss_that_is_not_linear_in_the_mean_has_its_curvature_too() -> None:
    ours = torch.autograd.functional.hessian(lambda at: cross_entropy(at, TARGETS) ** 2, logits())
    theirs = torch.autograd.functional.hessian(
        lambda at: F.cross_entropy(at, TARGETS) ** 2, logits()
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_torchs_is_replaced_only_where_it_means_the_same() -> None:
    kinds: list[tuple[Any, dict[str, Any], bool]] = [
        (F.cross_entropy, {}, True),
        (nn.CrossEntropyLoss(reduction="sum"), {}, True),
        (F.cross_entropy, {"ignore_index": -100}, True),
        (F.cross_entropy, {"label_smoothing": 0.1}, False),
        (F.cross_entropy, {"weight": torch.ones(4, dtype=torch.float64)}, False),
        (F.cross_entropy, {"reduction": "none"}, False),
    ]
    bytes_of = F.cross_entropy(logits(), (small := TARGETS.clamp(min=0).to(torch.uint8)))
    with lean_cross_entropy():
        torch.testing.assert_close(F.cross_entropy(logits(), small), bytes_of)
    for loss_fn, options, replaced in kinds:
        with lean_cross_entropy():
            found = loss_fn(logits(), TARGETS, **options)
        torch.testing.assert_close(found, loss_fn(logits(), TARGETS, **options))
        nodes, names = [found.grad_fn], set()
        while nodes:
            node = nodes.pop()
            names.add(node.name())
            nodes += [following for following, _ in node.next_functions if following]
        assert ("_CrossEntropyBackward" in names) == replaced


class Saved:
    """A tensor that lives as long as a graph needs it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def kept_between_products(loss_fn: Callable[[Tensor, Tensor], Tensor]) -> int:
    """Return the tensors of the size of the logits that an operator holds."""
    rows, classes = 6, 50
    model, alive = nn.Linear(2, classes), WeakSet[Saved]()

    def pack(tensor: Tensor) -> Saved:
        saved = Saved(tensor.detach())
        alive.add(saved)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        operator = HessianOperator(model, loss_fn, (torch.randn(rows, 2), torch.arange(rows)))
    gc.collect()
    assert operator.products == 0
    large = [saved.tensor for saved in alive if saved.tensor.numel() == rows * classes]
    return len({tensor.data_ptr() for tensor in large})


def test_one_tensor_of_the_size_of_the_logits_is_kept() -> None:
    assert kept_between_products(cross_entropy) == 1 < kept_between_products(F.cross_entropy)


def test_sharpness_of_a_closure_uses_it() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    closure = lt.sharpness(model, lambda: F.cross_entropy(model(x), TARGETS))
    pair = lt.sharpness(model, F.cross_entropy, (x, TARGETS))
    assert closure.value == pytest.approx(pair.value, rel=1e-10)
