"""How a model is called with a batch's inputs, and where its outputs hold the loss."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def call_arguments(model: nn.Module, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments for `model`: a mapping as keywords if `forward` takes them.

    Raises:
        ValueError: `forward` takes several arguments, some of the mapping's names among them, but
            not the mapping as a whole.
    """
    if not isinstance(inputs, Mapping):
        return (inputs,), {}
    signature = inspect.signature(_innermost(model).forward)
    try:
        signature.bind(**inputs)
    except TypeError as error:
        named = [name for name, p in signature.parameters.items() if p.kind in _NAMED]
        if len(named) > 1 and set(named) & set(inputs):
            raise ValueError(
                f"{type(model).__name__}.forward does not take the batch's {', '.join(inputs)} "
                f"({error}); give it {', '.join(named)}, or those of them it needs"
            ) from error
        return (inputs,), {}
    return (), dict(inputs)


def loss_of(outputs: Any) -> Any:
    """Return the loss that a model's own outputs hold: themselves, `.loss`, or the first.

    Raises:
        ValueError: there is none.
    """
    loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    loss = loss[0] if isinstance(loss, tuple | list) else getattr(loss, "loss", loss)
    if not isinstance(loss, Tensor) or loss.ndim:
        raise ValueError(
            f"the model returned {type(outputs).__name__} without a loss; put labels in the batch, "
            "or pass loss_fn and (inputs, targets)"
        )
    return loss


def shifts_labels(model: nn.Module) -> bool:
    """Whether the model's own loss is that of the next token: a row's first label is unused."""
    own = getattr(_innermost(model), "loss_function", None)
    return "CausalLM" in getattr(own, "__name__", "")


def _innermost(model: nn.Module) -> nn.Module:
    """Return the module inside torch.compile and data-parallel wrappers."""
    for name in ("_orig_mod", "module"):
        inside = getattr(model, name, None)
        if isinstance(inside, nn.Module):
            return _innermost(inside)
    return model
