"""Losses whose mean over a batch is not the mean of its chunks' means."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from lrtransfer.curvature.batches import IGNORED


def check_means(loss_fn: Callable[..., Any], chunks: Sequence[tuple[Any, Any]]) -> None:
    """Raise if `loss_fn` shows that weighting several `chunks` by their samples is wrong.

    Known are modules of torch.nn, alone or within another one, and a `functools.partial` of a
    function. What a function or a closure does inside cannot be seen.

    Raises:
        ValueError: the loss is a sum; or, with class weights or ignored targets, a mean over
            other numbers than the samples.
    """
    if len(chunks) == 1:
        return
    if isinstance(loss_fn, nn.Module):
        losses = [(type(m).__name__, vars(m) | m._buffers) for m in loss_fn.modules()]
    else:
        losses = [("loss_fn", loss_fn.keywords)] if isinstance(loss_fn, partial) else []
    for name, options in losses:
        if options.get("reduction") == "sum":
            _refuse(f"{name} is a sum over samples", "pass a loss with reduction='mean'")
        if name not in ("CrossEntropyLoss", "NLLLoss", "loss_fn"):
            continue
        if options.get("weight") is not None:
            _refuse(f"{name} is a mean over class weights", "multiply each sample's loss by hand")
        ignored = options.get("ignore_index")
        if ignored != IGNORED and any(_holds(targets, ignored) for _, targets in chunks):
            _refuse(
                f"{name} leaves out targets equal to {ignored}",
                f"let {IGNORED} stand for them, which does not count",
            )


def _holds(targets: Any, value: int | None) -> bool:
    if value is None or not isinstance(targets, Tensor) or targets.is_floating_point():
        return False
    return bool((targets == value).any())


def _refuse(problem: str, remedy: str) -> None:
    raise ValueError(
        f"{problem}, and several chunks are weighted by their samples; {remedy}, or give one batch"
    )
