"""A step's closure: evaluated once for real, and again without side effects."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from lrtransfer.curvature.attention_kernels import explicit_attention
from lrtransfer.curvature.surroundings import LOCK
from lrtransfer.optim.tuners.sharded import reshard

Closure = Callable[[], Tensor]
"""Returns the loss of the present parameters, a tensor without axes, with its graph."""


class ClosureError(RuntimeError):
    """The closure did not return a loss that a tuner can differentiate."""


class NonFiniteLossError(RuntimeError):
    """The loss, its gradient or its curvature is NaN or infinite; the parameters did not move."""


class RepeatableClosure:
    """The closure of one step, a function of the parameters alone.

    Further evaluations see the random state of the first one (so dropout draws the same masks)
    and leave no trace: the buffers of the modules that ran (BatchNorm's statistics) and the random
    state end as one evaluation leaves them. Randomness from elsewhere (NumPy, a
    `torch.Generator`, a data loader) is out of reach: draw the batch outside the closure.
    `restore` puts back what the first one changed.

    Args:
        closure: What the user passed to `step`.
        parameters: The tensors that the optimizer moves; their `grad` is reset to None.
    """

    def __init__(self, closure: Closure, parameters: Sequence[nn.Parameter]) -> None:
        self._closure = closure
        self._parameters = parameters
        self._modules: list[nn.Module] = []
        self._before: list[_Kept] = []
        devices = {parameter.device for parameter in parameters if parameter.is_cuda}
        self._cuda = sorted(devices, key=str)
        self._random = self._random_states()
        self._draws = True
        self._hook: RemovableHandle | None = None

    def first(self, *, twice_differentiable: bool) -> Tensor:
        """Return the loss with its graph.

        Args:
            twice_differentiable: Run attention on the explicit kernel; the fused ones have no
                second derivative.

        Raises:
            ClosureError: The closure called backward, or did not return a single number of
                floating point with a graph.
            NonFiniteLossError: The loss is NaN or infinite.
        """
        for parameter in self._parameters:
            parameter.grad = None
        kernels = explicit_attention() if twice_differentiable else nullcontext()
        with LOCK, torch.enable_grad(), kernels:
            self._hook = register_module_forward_pre_hook(self._note_of_this_thread())
            try:
                self._random = self._random_states()
                loss = self._closure()
                self._draws = not all(map(torch.equal, self._random, self._random_states()))
            finally:
                self._hook.remove()
        self._check(loss)
        return loss

    def again(self) -> Tensor:
        """Return the loss at the present parameters, without a graph; it may not be finite."""
        with torch.no_grad():
            try:
                return self.replay(lambda: self._closure().detach())
            finally:
                reshard(self._modules)

    def replay(self, evaluate: Callable[[], Tensor]) -> Tensor:
        """Return what `evaluate` does from the first evaluation's random state, without a trace.

        The random state is left alone where the first evaluation drew nothing.
        """
        with LOCK:
            random, buffers = self._random_states(), _buffers_of(self._modules)
            try:
                if self._draws:
                    self._set_random(self._random)
                return evaluate()
            finally:
                _put_back(buffers)
                if self._draws:
                    self._set_random(random)

    def restore(self) -> None:
        """Put buffers, random state and hooks back to before the first evaluation."""
        if self._hook is not None:
            self._hook.remove()
        _put_back(self._before)
        if self._draws:
            self._set_random(self._random)

    def _random_states(self) -> list[Tensor]:
        return [torch.get_rng_state(), *map(torch.cuda.get_rng_state, self._cuda)]

    def _set_random(self, states: Sequence[Tensor]) -> None:
        own, *others = states
        torch.set_rng_state(own)
        for device, state in zip(self._cuda, others, strict=True):
            torch.cuda.set_rng_state(state, device)

    def _check(self, loss: Any) -> None:
        if any(parameter.grad is not None for parameter in self._parameters):
            raise ClosureError(
                "the closure called backward; return the loss with its graph and let the tuner "
                "differentiate it"
            )
        if not isinstance(loss, Tensor):
            raise ClosureError(
                f"the closure returned {type(loss).__name__}; return the loss as a tensor, "
                "without .item()"
            )
        if loss.numel() != 1 or not loss.is_floating_point():
            raise ClosureError(
                f"the closure returned {loss.dtype} of shape {tuple(loss.shape)}; return the "
                "mean over samples, one real number"
            )
        if not torch.isfinite(loss):
            raise NonFiniteLossError(f"the loss is {loss.item()}; no learning rate follows from it")
        if not loss.requires_grad:
            raise ClosureError(
                "the loss is detached from the parameters; return it without detach() and "
                "outside no_grad()"
            )

    def _note_of_this_thread(self) -> Callable[[nn.Module, Any], None]:
        """Return a hook that remembers what modules run: the closure does not name its model."""
        seen: set[int] = set()
        thread = threading.get_ident()

        def note(module: nn.Module, inputs: Any) -> None:
            if id(module) not in seen and threading.get_ident() == thread:
                within = list(module.modules())
                self._before += _buffers_of(within)
                self._modules += within
                seen.update(map(id, within))

        return note


_Kept = tuple[dict[str, Tensor | None], str, Tensor, Tensor]


def _buffers_of(modules: Sequence[nn.Module]) -> list[_Kept]:
    """Return the modules' own buffers: whose, name, tensor and a copy of its values."""
    return [
        (owner._buffers, name, buffer, buffer.detach().clone())
        for owner in modules
        for name, buffer in owner._buffers.items()
        if buffer is not None
    ]


def _put_back(kept: Sequence[_Kept]) -> None:
    # Backwards: of a buffer that was noted twice the first note counts.
    with torch.no_grad():
        for owner, name, buffer, before in reversed(kept):
            owner[name] = buffer
            buffer.copy_(before)
