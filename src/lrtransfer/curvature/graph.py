"""What in an autograd graph makes derivatives wrong in silence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.autograd.function import BackwardCFunction, once_differentiable

_REENTRANT = "CheckpointFunctionBackward"
_WEIGHT_NORM = "WeightNormInterfaceBackward0"
_ERROR = "torch::autograd::Error"  # what a marked function's gradient ends in
_KINKED = ("Relu", "Hardtanh", "Hardswish", "MaxPool", "Abs", "Threshold", "Prelu", "Clamp")
_WAYS_OUT = {
    "attention": "attn_implementation='eager'",
    "grouped_mm": "experts_implementation='eager'",
}
_OTHER_WAY = "write its backward pass in differentiable operations"
_DECORATOR: Any = once_differentiable
_WRAPPER = _DECORATOR(len).__code__  # the one that every marked function has


def check_graph(*tensors: Tensor, twice: bool = True) -> None:
    """Raise if the graph behind `tensors` would drop a part of the derivatives without a word.

    Three kinds of node do so when derivatives by given inputs are asked for. Reentrant activation
    checkpointing hides the parameters inside its segments. What a function marked
    `once_differentiable` returns in its backward pass is a constant to the second one, or ends
    in an error node that never runs. The second derivative of torch's fused weight norm takes the
    norms for constants (measured with torch 2.13).

    Args:
        tensors: a loss or outputs, or their gradients. A node costs about 1 µs.
        twice: whether second derivatives are wanted; without them only the first kind is refused.

    Raises:
        ValueError: such a node is in the graph.
    """
    stack: list[Any] = [t.grad_fn for t in tensors if t.grad_fn is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        name = node.name()
        if name == _REENTRANT:
            raise ValueError(
                "the model checkpoints activations with use_reentrant=True, which hides the "
                "parameters inside from derivatives; pass use_reentrant=False to checkpoint()"
            )
        if twice and (name == _ERROR or _once_differentiable(node)):
            raise ValueError(
                f"the graph holds {name}, of a function marked once_differentiable: its second "
                f"derivative is missing; {_OTHER_WAY}, or use method='finite_difference' of "
                "sharpness"
            )
        if twice and name == _WEIGHT_NORM:
            raise ValueError(
                "the model has weight_norm, of whose second derivative torch leaves out a part; "
                "compute v * (g / torch.norm_except_dim(v, 2, dim)) in a parametrization of your "
                "own, or use method='finite_difference' of sharpness"
            )
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                stack.append(following)


def _once_differentiable(node: Any) -> bool:
    if not isinstance(node, BackwardCFunction):
        return False
    function: Any = node
    return getattr(function._forward_cls.backward, "__code__", None) is _WRAPPER


@contextmanager
def named_obstacle() -> Iterator[None]:
    """Name the kernel that second derivatives inside do not pass, and the ways around it.

    Raises:
        ValueError: a kernel's backward pass has no derivative.
    """
    try:
        yield
    except RuntimeError as error:
        said = str(error).partition("\n")[0]
        if "is not implemented" not in said and "not differentiable" not in said:
            raise
        way = next((way for part, way in _WAYS_OUT.items() if part in said), _OTHER_WAY)
        raise ValueError(
            f"the model uses a kernel that has no second derivative ({said}); "
            f"{way}, or use method='finite_difference' of sharpness"
        ) from error


def kinks(loss: Tensor) -> list[str]:
    """Return the kinds of node behind `loss` whose slope jumps: ReLU, max-pool, |x| and so on."""
    stack: list[Any] = [loss.grad_fn]
    seen = set(stack)
    found: set[str] = set()
    while stack:
        node = stack.pop()
        name = node.name().removesuffix("Backward0")
        if any(kind in name for kind in _KINKED):
            found.add(name)
        fresh = {n for n, _ in node.next_functions if n is not None} - seen
        seen |= fresh
        stack += fresh
    return sorted(found)
