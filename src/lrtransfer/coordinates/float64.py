"""Float64 throughout: models that round to float32 inside, as norms of transformers do, do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Float64(TorchFunctionMode):
    """A context in which what asks torch for float32 gets float64; backward passes follow.

    Example:
        >>> import torch
        >>> from lrtransfer.coordinates.float64 import Float64
        >>> with Float64():
        ...     torch.ones(1).double().to(torch.float32).dtype
        torch.float64
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call with the other type."""
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        wider = {name: _wider(value) for name, value in (kwargs or {}).items()}
        return func(*map(_wider, args), **wider)


def _wider(value: Any) -> Any:
    return torch.float64 if value is torch.float32 else value
