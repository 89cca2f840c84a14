"""A model's forward pass at frozen parameters: repeatable, and without side effects."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lrtransfer.curvature.batches import Inputs
from lrtransfer.curvature.calls import call_arguments
from lrtransfer.curvature.selection import Patterns, chosen
from lrtransfer.curvature.sharded import is_sharded
from lrtransfer.curvature.surroundings import (
    LOCK,
    RepeatedDraws,
    Result,
    frozen,
    gradient_mode,
    together,
)

Scale: TypeAlias = Mapping[str, float] | Mapping[str, Tensor] | Mapping[str, float | Tensor]
"""Parameter name -> its entries of the diagonal D: one number for all, or one for each."""


class FrozenForward:
    """The map parameters -> outputs of `model`, as it stands when this object is made.

    Every call sees the train/eval flags of that moment and the random state of the first run
    (so dropout draws the same masks in each product), and works on copies of the buffers (so
    BatchNorm statistics do not move). Attention runs on the explicit backend: the fused ones have
    no second derivative. Autocast is off: curvature is computed in the parameters' own precision.
    The runs of all threads take turns.

    Args:
        model: any module; its parameters with `requires_grad` are the coordinates, in the order
            of `named_parameters()`, tied ones once.
        scale: diagonal of D per trainable parameter, a number or a tensor of its shape: its
            learning rate over the global one, times what an optimizer's state preconditions the
            gradient with. None is the identity.
        parameters: patterns of the names of those that are the coordinates; None is all.
        twice: whether second derivatives will be taken. Without them attention may run on any
            kernel, and parameters may be of 16 bits (vectors are float32) or sharded.

    Raises:
        ValueError: nothing is trainable, parameters differ in dtype or device, are complex, below
            float32 or hold no ordinary values, have hooks on their gradients, the model is scripted
            or rescales its weights in the forward pass (`max_norm`), or `scale` or `parameters` do
            not fit it.
    """

    def __init__(
        self,
        model: nn.Module,
        scale: Scale | None = None,
        *,
        parameters: Patterns | None = None,
        twice: bool = True,
    ) -> None:
        _check_model(model)
        trainable = chosen(model, parameters)
        self.model = model
        self.names = [name for name, _ in trainable]
        self.parameters = [parameter for _, parameter in trainable]
        self.dtype, self.device = _common_type(self.parameters, twice=twice)
        self._twice = twice
        self.roots = _scale_roots(model, self.names, scale)
        self.sizes = [parameter.numel() for parameter in self.parameters]
        self._versions = self._parameter_versions()
        self._modules = list(model.modules())
        with LOCK:
            self._modes = [(module, module.training) for module in self._modules]
        self._draws = RepeatedDraws([self.device] if self.device.type == "cuda" else [])

    @property
    def dim(self) -> int:
        """Number of trainable scalars."""
        return sum(self.sizes)

    def _parameter_versions(self) -> list[int]:
        return [parameter._version for parameter in self.parameters]

    def check_unchanged(self) -> None:
        """Raise if the parameters moved since this object was made.

        Raises:
            RuntimeError: a parameter was changed in place, for instance by an optimizer step.
        """
        if self._parameter_versions() != self._versions:
            raise RuntimeError(
                "the model's parameters changed after the operator was built; build a new one"
            )

    def run(self, work: Callable[[], Result]) -> Result:
        """Return `work()` under the captured modes and random state; put back what was there."""
        self.check_unchanged()
        with LOCK:
            session = together(
                frozen(self._modes, self.parameters, explicit_attention=self._twice),
                gradient_mode(True, self.device),
                self._draws.session(),
            )
            return session.around(work)

    def __call__(self, inputs: Inputs) -> Any:
        """Return `model(inputs)` with its graph; call it inside `run`.

        A mapping becomes keywords if the model's `forward` takes them.
        """
        positional, named = call_arguments(self.model, inputs)
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        if not buffers:
            return self.model(*positional, **named)
        return torch.func.functional_call(self.model, buffers, positional, named)

    def copy_buffers(self) -> None:
        """Give the modules buffers to write on; the end of the session takes them away again."""
        copies: dict[int, Tensor] = {}
        for module in self._modules:
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    copies.setdefault(id(buffer), buffer.clone())
                    module._buffers[name] = copies[id(buffer)]

    def split(self, vector: Tensor) -> list[Tensor]:
        """Return D^½ `vector`, shape (dim,), in the shapes of the parameters."""
        return [
            _times(piece.view(parameter.shape), root)
            for piece, parameter, root in zip(
                torch.split(vector, self.sizes), self.parameters, self.roots, strict=True
            )
        ]

    def scaled(self, vector: Tensor) -> Tensor:
        """Return D^½ `vector`, shape (dim,)."""
        return torch.cat([piece.reshape(-1) for piece in self.split(vector)])

    def join(self, pieces: Sequence[Tensor | None], *, scaled: bool = True) -> Tensor:
        """Return D^½ `pieces` as one vector, shape (dim,), or `pieces` alone if not `scaled`.

        A None stands for a parameter that the loss does not reach: zeros.
        """
        flat = [
            torch.zeros(parameter.numel(), dtype=self.dtype, device=self.device)
            if piece is None
            else (_times(piece.detach(), root) if scaled else piece.detach()).reshape(-1)
            for piece, parameter, root in zip(pieces, self.parameters, self.roots, strict=True)
        ]
        return torch.cat(flat).detach()


def _times(piece: Tensor, root: float | Tensor) -> Tensor:
    return piece * root if isinstance(root, Tensor) or root != 1.0 else piece  # no copy


def _check_model(model: nn.Module) -> None:
    """Raise unless curvature of `model` is defined, before anything runs."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is {type(model).__name__}; pass an nn.Module")
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"{path or 'the model'} is scripted or traced; pass the module it was made of"
            )
        if getattr(module, "max_norm", None) is not None:
            raise ValueError(
                f"{path or 'the model'} has max_norm={module.max_norm}, which rescales its weight "
                "in the forward pass; rescale it once and set max_norm = None"
            )
    for name, parameter in model.named_parameters():
        if problem := _problem(parameter):
            raise ValueError(f"parameter {name!r} {problem}")


def _problem(parameter: nn.Parameter) -> str | None:
    if is_lazy(parameter):
        return "is lazy and has no shape yet; run one forward pass first"
    faults = {
        "lies on the meta device and has no values; give it some with to_empty() or a load": (
            parameter.is_meta
        ),
        f"is {parameter.layout}; curvature needs dense parameters": (
            parameter.layout != torch.strided
        ),
        "was made under inference_mode; make the model outside, or deepcopy it there": (
            parameter.is_inference()
        ),
        f"is {parameter.dtype}; keep its real and imaginary parts as one real tensor": (
            parameter.requires_grad and parameter.dtype.is_complex
        ),
        "has a gradient hook, which would act on curvature too; remove it meanwhile": (
            parameter.requires_grad and bool(parameter._backward_hooks)
        ),
    }
    return next((fault for fault, found in faults.items() if found), None)


def _common_type(
    parameters: Sequence[nn.Parameter], *, twice: bool
) -> tuple[torch.dtype, torch.device]:
    """Return the dtype of vectors over `parameters`, and the device."""
    kinds = {(parameter.dtype, parameter.device) for parameter in parameters}
    if len(kinds) != 1:
        raise ValueError(
            "model must have trainable parameters of one dtype on one device; found "
            f"{sorted(map(str, kinds)) or 'none'}"
        )
    dtype, device = kinds.pop()
    if not twice:
        return (dtype if dtype == torch.float64 else torch.float32), device
    if any(is_sharded(parameter) for parameter in parameters):
        raise ValueError(
            "model has sharded parameters (DTensor), whose backward pass has no derivative; "
            "use sharpness(..., method='finite_difference')"
        )
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"model has {dtype} parameters; curvature needs model.float(), or "
            "sharpness(..., method='finite_difference')"
        )
    return dtype, device


def _scale_roots(
    model: nn.Module, trainable: Sequence[str], scale: Scale | None
) -> Sequence[float | Tensor]:
    """Return the square roots of `scale` in the order of `trainable`; tied names are one."""
    if scale is None:
        return [1.0] * len(trainable)
    everything = dict(model.named_parameters(remove_duplicate=False))
    unknown = sorted(set(scale) - set(everything))
    if unknown:
        raise ValueError(f"scale names no parameter of the model: {unknown}")
    roots: dict[int, float | Tensor] = {}
    for name, value in scale.items():
        root = _root(name, value, everything[name])
        if not _equal(roots.setdefault(id(everything[name]), root), root):
            raise ValueError(f"scale[{name!r}] differs from that of the tensor it is tied to")
    missing = [name for name in trainable if id(everything[name]) not in roots]
    if missing:
        raise ValueError(f"scale lacks {missing}; give every trainable parameter, 1.0 if unscaled")
    return [roots[id(everything[name])] for name in trainable]


def _root(name: str, value: float | Tensor, parameter: Tensor) -> float | Tensor:
    if not isinstance(value, Tensor):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"scale[{name!r}] is {value}; it must be finite and not negative")
        return math.sqrt(value)
    if value.shape != parameter.shape:
        raise ValueError(
            f"scale[{name!r}] has shape {tuple(value.shape)}; its parameter has "
            f"{tuple(parameter.shape)}"
        )
    if not bool((torch.isfinite(value) & (value >= 0)).all()):
        raise ValueError(f"scale[{name!r}] holds NaN, infinite or negative entries")
    return value.detach().to(parameter).sqrt()


def _equal(one: float | Tensor, other: float | Tensor) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return bool(torch.equal(one, other))
    return not isinstance(one, Tensor) and not isinstance(other, Tensor) and one == other
