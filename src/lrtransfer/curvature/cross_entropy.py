"""Cross-entropy whose Hessian products hold batch × vocabulary once."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from lrtransfer.curvature.batches import IGNORED

_SIGNATURE = inspect.signature(functional.cross_entropy)


def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    ignore_index: int = IGNORED,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Return the cross-entropy of `logits` (n, C) and class indices `targets` (n,).

    Value and derivatives are those of `torch.nn.functional.cross_entropy`. Between two products
    with a Hessian torch's own keeps three tensors of the size of the logits; this one keeps their
    gradient s(p − y), which the model's graph needs anyway, and reads the probabilities p from it.

    Args:
        logits: shape (n, C).
        targets: class of each row; rows with `ignore_index` do not count.
        ignore_index: the target that is left out.
        reduction: "mean" over the rows that count, or "sum".

    Example:
        >>> import torch
        >>> round(cross_entropy(torch.zeros(3, 4), torch.tensor([0, 1, -100])).item(), 4)  # ln 4
        1.3863
    """
    kept = targets != ignore_index
    apply: Any = _CrossEntropy.apply
    rows = apply(logits, targets.where(kept, 0), kept)
    total: Tensor = rows.sum()
    return total / kept.sum() if reduction == "mean" else total


class _CrossEntropy(torch.autograd.Function):
    """The loss of each row, 0 where it does not count."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, kept: Tensor) -> Tensor:
        normaliser = logits.logsumexp(dim=1)
        ctx.save_for_backward(logits, normaliser, targets, kept)
        picked = logits.gather(1, targets[:, None])[:, 0]
        return torch.where(kept, normaliser - picked, 0)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        logits, normaliser, targets, kept = ctx.saved_tensors
        slopes = torch.where(kept, upstream[0], 0)[:, None]
        if slopes.requires_grad:  # the loss is not linear in the mean: leave it to autograd
            hits = functional.one_hot(targets, logits.shape[1])
            return slopes * (logits.softmax(dim=1) - hits), None, None
        apply: Any = _Slope.apply
        return apply(logits, slopes, normaliser, targets), None, None


class _Slope(torch.autograd.Function):
    """s ⊙ (p − y), the gradient by the logits under the gradients s of the rows, shape (n, 1)."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, slopes: Tensor, normaliser: Tensor, targets: Tensor
    ) -> Tensor:
        gradient = (logits - normaliser[:, None]).exp_()
        gradient.scatter_add_(1, targets[:, None], -torch.ones_like(slopes))
        gradient.mul_(slopes)
        # A row of slope 0 does not tell its p, and has no curvature.
        ctx.save_for_backward(gradient, slopes, targets)
        return gradient

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (along,) = upstream
        gradient, slopes, targets = ctx.saved_tensors
        # s p ⊙ u = gradient ⊙ u + s y ⊙ u, from which s (p ⊙ u − p pᵀu).
        hits = slopes * along.gather(1, targets[:, None])
        product = (gradient * along).scatter_add_(1, targets[:, None], hits)
        mean = torch.where(slopes != 0, product.sum(dim=1, keepdim=True) / slopes, 0)  # pᵀu
        product.addcmul_(gradient, mean, value=-1)
        return product.scatter_add_(1, targets[:, None], -mean * slopes), None, None, None


class _Lean(TorchFunctionMode):
    """Sends torch's cross-entropy to the one here wherever they mean the same."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is functional.cross_entropy:
            given = _SIGNATURE.bind(*args, **(kwargs or {})).arguments
            if _alike(**given):
                named = {n: given[n] for n in ("ignore_index", "reduction") if n in given}
                return cross_entropy(given["input"], given["target"], **named)
        return func(*args, **(kwargs or {}))


def _alike(**given: Any) -> bool:
    """Whether a call is of class indices for rows of logits, without weights or smoothing."""
    target = given["target"]
    rows = given["input"].ndim == 2 and target.ndim == 1 and target.dtype == torch.int64
    plain = given.get("weight") is None and not given.get("label_smoothing")
    today = given.get("size_average") is None and given.get("reduce") is None
    return rows and plain and today and given.get("reduction", "mean") in ("mean", "sum")


@contextmanager
def lean_cross_entropy() -> Iterator[None]:
    """Compute `torch.nn.functional.cross_entropy` by the one here, wherever it is called."""
    with _Lean():
        yield
