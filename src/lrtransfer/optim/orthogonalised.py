"""Orthogonalised momentum: torch's Muon on every matrix that a tensor holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from lrtransfer.scaling.matrices import matrices

Factor = Literal["spectral", "original", "kimi"]
Precision = Literal["bfloat16", "float32"]

# torch's own names of the factors that it knows.
_TORCHS = {"spectral": "original", "original": "original", "kimi": "match_rms_adamw"}


class Muon(torch.optim.Optimizer):
    """`torch.optim.Muon` on the matrices that tensors hold, with an explicit factor.

    A matrix moves by η·r·O: O is its momentum with singular values near 1, r the factor of its
    shape (out, in), a convolution's being (out, in·k²):

        spectral    √(out/in): ‖ΔW‖ = η√(out/in), what μP asks at every width and shape
        original    √max(1, out/in), of Jordan's code
        kimi        0.2·√max(out, in), of Liu et al. (2025): η as AdamW's at one width

    Stacks are stepped matrix by matrix, fused maps map by map (a group's `form`, see
    `lrtransfer.scaling.matrices`). Decay shrinks a tensor by η·λ, without the factor.

    Args:
        params: Matrices, convolutions, or groups of them.
        lr: η.
        weight_decay: λ.
        momentum: μ of the averaged gradient.
        nesterov: Whether the gradient is averaged in once more.
        ns_coefficients: Of the Newton-Schulz iteration.
        ns_steps: Its steps.
        eps: Least norm that a gradient is divided by.
        factor: r.
        precision: Of the iteration. In bfloat16 it is torch's own; in float32 ours, some 30 times
            faster on a processor without bfloat16 products.

    Raises:
        RuntimeError: This torch has no Muon.
        ValueError: A tensor is no matrix, or a number or the factor is out of range.

    Example:
        >>> w = torch.nn.Parameter(torch.eye(2))
        >>> opt = Muon([w], lr=0.1, weight_decay=0.5)
        >>> w.grad = torch.zeros(2, 2)
        >>> opt.step()
        >>> w.diagonal().tolist()
        [0.949999988079071, 0.949999988079071]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 0.02,
        *,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        ns_steps: int = 5,
        eps: float = 1e-7,
        factor: Factor = "spectral",
        precision: Precision = "bfloat16",
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise RuntimeError(
                f"torch {torch.__version__} has no Muon. Install torch 2.9 or later."
            )
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "ns_steps": ns_steps,
            "eps": eps,
            "factor": factor,
            "precision": precision,
            "decoupled_weight_decay": True,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group after checking it, which torch's own leaves to the step."""
        super().add_param_group(param_group)
        own = self.param_groups[-1]
        wrong = _wrong(own)
        if wrong:
            self.param_groups.pop()
            raise ValueError(wrong)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step from the gradients in `grad`."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad, group)
        return loss

    def _step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        form = group.get("form")
        held = [matrices(t, form) for t in (parameter, gradient, state["momentum_buffer"])]
        for matrix, slope, mean in zip(*held, strict=True):
            plain, average = matrix.plain(), mean.plain()
            step = _in_float32 if group["precision"] == "float32" else _torchs
            step(plain, slope.plain(), average, group)
            matrix.put(plain)
            mean.put(average)


def shape_factor(outputs: int, inputs: int, factor: Factor) -> float:
    """Return r of a matrix of this shape, see `Muon`."""
    if factor == "kimi":
        return 0.2 * math.sqrt(max(outputs, inputs))
    spectral = math.sqrt(outputs / inputs)
    return spectral if factor == "spectral" else max(1.0, spectral)


def orthogonalised(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return a matrix (out, in) with its singular values moved towards 1, in its own precision.

    X ← aX + (bS + cS²)X with S = XXᵀ, from X = matrix/max(‖matrix‖, eps).
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # S is of the shorter side
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + torch.addmm(square, square, square, beta=b, alpha=c) @ x
    found: Tensor = x.T if tall else x
    return found


def _in_float32(plain: Tensor, slope: Tensor, mean: Tensor, group: dict[str, Any]) -> None:
    """Move a matrix and its mean gradient by one step, as `_torchs` does in bfloat16."""
    mean.lerp_(slope, 1 - group["momentum"])
    wanted = slope.lerp(mean, group["momentum"]) if group["nesterov"] else mean
    update = orthogonalised(
        wanted.float(), group["ns_coefficients"], group["ns_steps"], group["eps"]
    )
    rate = float(group["lr"])
    factor = shape_factor(plain.shape[0], plain.shape[1], group["factor"])
    plain.mul_(1 - rate * float(group["weight_decay"]))
    plain.add_(update.to(plain), alpha=-rate * factor)


def _torchs(plain: Tensor, slope: Tensor, mean: Tensor, group: dict[str, Any]) -> None:
    share = _share(plain, group["factor"])
    single = torch.optim.Muon(
        [plain],
        lr=float(group["lr"]) * share,
        weight_decay=float(group["weight_decay"]) / share,
        momentum=group["momentum"],
        nesterov=group["nesterov"],
        ns_coefficients=group["ns_coefficients"],
        ns_steps=group["ns_steps"],
        eps=group["eps"],
        adjust_lr_fn=_TORCHS[group["factor"]],
    )
    single.state[plain]["momentum_buffer"] = mean
    plain.grad = slope
    single.step()  # type: ignore[no-untyped-call]
    plain.grad = None


def _share(plain: Tensor, factor: str) -> float:
    """Return our factor over torch's: √(out/in) over √max(1, out/in) for the spectral one."""
    outputs, inputs = plain.shape
    return min(1.0, math.sqrt(outputs / inputs)) if factor == "spectral" else 1.0


def _wrong(group: dict[str, Any]) -> str | None:
    if group["factor"] not in _TORCHS:
        return f"factor is {group['factor']!r}. Give one of {', '.join(_TORCHS)}."
    if group["precision"] not in get_args(Precision):
        return f"precision is {group['precision']!r}. Give bfloat16 or float32."
    if not 0 <= group["momentum"] < 1:
        return f"momentum is {group['momentum']}. Choose it in [0, 1)."
    for parameter in group["params"]:
        if parameter.ndim < 2:
            return (
                f"a tensor of shape {tuple(parameter.shape)} is no matrix. Give it to AdamW, as "
                "lrtransfer.parameterize and make_optimizer do."
            )
        form = group.get("form")
        if hasattr(parameter, "device_mesh") and (form or parameter.ndim > 2):
            return (
                f"a sharded tensor of shape {tuple(parameter.shape)} holds several matrices or a "
                "kernel, which lie apart. Replicate it, or step it with AdamW."
            )
    return None
