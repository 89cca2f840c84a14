"""What nested forward-mode derivatives get wrong: done by elementary operations, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, instance_norm, layer_norm
from torch.overrides import TorchFunctionMode


class ElementaryNorms(TorchFunctionMode):
    """Within it, normalisation layers are computed by elementary operations; buffers stay.

    Nesting the forward derivatives of torch's fused kernels is silently wrong: measured with
    torch 2.13 on LayerNorm and on BatchNorm in train mode, and on some functions of matrices,
    which raise ValueError here.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _WRONG:
            raise ValueError(
                f"torch's nested forward derivatives of {func.__name__} are wrong; use "
                "curvature='double_backward' or 'finite_difference'"
            )
        own = _ELEMENTARY.get(func, func)
        return own(*args, **(kwargs or {}))


def _standardised(x: Tensor, axes: list[int], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt()


def _layer_norm(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    y = _standardised(x, list(range(-len(normalized_shape), 0)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _by_channel(x: Tensor, y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    shape = (1, -1, *[1] * (x.ndim - 2))
    y = y if weight is None else y * weight.view(shape)
    return y if bias is None else y + bias.view(shape)


def _batch_norm(  # noqa: PLR0917 - torch's own signature
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not (training or running_mean is None or running_var is None):
        shape = (1, -1, *[1] * (x.ndim - 2))
        y = (x - running_mean.view(shape)) * (running_var.view(shape) + eps).rsqrt()
        return _by_channel(x, y, weight, bias)
    return _by_channel(x, _standardised(x, [0, *range(2, x.ndim)], eps), weight, bias)


def _instance_norm(  # noqa: PLR0917
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not use_input_stats:
        return _batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    return _by_channel(x, _standardised(x, list(range(2, x.ndim)), eps), weight, bias)


_ELEMENTARY: dict[Any, Callable[..., Tensor]] = {
    layer_norm: _layer_norm,
    batch_norm: _batch_norm,
    instance_norm: _instance_norm,
}

_WRONG = frozenset(
    getattr(room, name)
    for room, names in {
        torch.linalg: "solve solve_ex tensorsolve det slogdet householder_product",
        torch: "det slogdet logdet orgqr cholesky_inverse",
        torch.Tensor: "det slogdet logdet orgqr cholesky_inverse",
    }.items()
    for name in names.split()
)
