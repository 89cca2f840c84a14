"""What a measurement changes around a model, put back whatever happens."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lrtransfer.curvature.attention_kernels import enable_kernels, enabled_kernels

LOCK = threading.RLock()
"""Held by every session: modes, buffers, attention and random state belong to the process."""


@contextmanager
def gradient_mode(enabled: bool, device: torch.device) -> Iterator[None]:
    """Set the gradient mode, without inference mode and autocast.

    Those two are left alone where they are off: their guards, dropped late after an interrupt,
    would set the mode anew.
    """
    before = torch.is_grad_enabled()
    with _afterwards(lambda: torch.set_grad_enabled(before)), ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if torch.is_autocast_enabled(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        torch.set_grad_enabled(enabled)
        yield


@contextmanager
def restored(modules: Sequence[nn.Module], parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Put back modes, gradients, the places of tensors and the attention backends on leaving.

    Inside, the parameters have no `.grad`: a `backward` within a loss finds none to add to.
    """
    modes = [(module, module.training) for module in modules]
    held: list[Any] = [d for m in modules for d in (m._parameters, m._buffers) if d]
    places = [(holder, dict(holder)) for holder in held]
    gradients = [(parameter, parameter.grad) for parameter in parameters]
    kernels = enabled_kernels()

    def put_back() -> None:
        set_modes(modes)
        for holder, tensors in places:
            holder.update(tensors)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        enable_kernels(kernels)

    with _afterwards(put_back):
        for parameter, gradient in gradients:
            if gradient is not None:
                parameter.grad = None
        yield


def set_modes(modes: Sequence[tuple[nn.Module, bool]]) -> None:
    """Set the train/eval flag of each module."""
    for module, training in modes:
        if module.training != training:
            module.training = training


class RepeatedDraws:
    """Sessions that draw the same random numbers from torch, and give the random state back.

    Where the first session draws nothing, later ones leave the process's random state alone.

    Args:
        devices: the CUDA devices whose states belong to it, beside the CPU's.
    """

    def __init__(self, devices: Sequence[torch.device] = ()) -> None:
        self._devices = devices
        self._first: list[Tensor] = []
        self._any: bool | None = None  # unknown before the first session

    @contextmanager
    def session(self) -> Iterator[None]:
        """Draw from the state that the first session found, and put back the present one."""
        if self._any is False:
            yield
            return
        before = self._states()
        # Beside other threads, a state that moved does not say who drew.
        own = _OwnDraws() if self._any is None and threading.active_count() > 1 else None

        def put_back() -> None:
            if self._any is None:
                self._any = own.seen if own else not self._is(before)
            if self._any:
                self._set(before)

        with _afterwards(put_back):
            if self._any:
                self._set(self._first)
            else:
                self._first = before
            with own or nullcontext():
                yield

    def _states(self) -> list[Tensor]:
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(d) for d in self._devices)]

    def _is(self, states: Sequence[Tensor]) -> bool:
        return all(map(torch.equal, self._states(), states))

    def _set(self, states: Sequence[Tensor]) -> None:
        torch.set_rng_state(states[0])
        for device, state in zip(self._devices, states[1:], strict=True):
            torch.cuda.set_rng_state(state, device)


class _OwnDraws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes whether this thread draws random numbers of torch: `seen`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.seen = self.seen or torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))


@contextmanager
def _afterwards(put_back: Callable[[], object]) -> Iterator[None]:
    """Call `put_back` on leaving, twice: an interrupt of the one leaves the other."""
    try:
        try:
            yield
        finally:
            put_back()
    finally:
        put_back()


@contextmanager
def displaced(
    modules: Sequence[nn.Module], parameters: Sequence[Tensor], points: Callable[[], list[Tensor]]
) -> Iterator[None]:
    """Let `parameters` have the values `points()` inside, and their own, to the bit, on leaving.

    They are written in place, so wrappers, closures and shards see them; no graph notices.
    """
    kept = [parameter.detach().clone() for parameter in parameters]

    def write(values: Sequence[Tensor]) -> None:
        for module in modules:
            if hasattr(module, "unshard"):  # FSDP2 may still hold the gathered old values
                module.reshard()  # type: ignore[operator]
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data.copy_(value)

    with _afterwards(lambda: write(kept)):
        write(points())
        yield
