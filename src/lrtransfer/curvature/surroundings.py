"""What a measurement changes around a model, put back whatever happens."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lrtransfer.curvature.attention_kernels import ONLY_EXPLICIT, enable_kernels, enabled_kernels

LOCK = threading.RLock()
"""Held by whoever measures: modes, buffers, attention and random state belong to the process."""

Result = TypeVar("Result")


class Undone:
    """A change that is taken back on leaving, whatever happens.

    No generator: one that an interrupt left suspended would end, and put back, at any later time.

    Args:
        change: makes it.
        put_back: takes it back; called twice, since an interrupt of the one leaves the other.
    """

    def __init__(self, change: Callable[[], object], put_back: Callable[[], object]) -> None:
        self.change = change
        self.put_back = put_back

    def around(self, work: Callable[[], Result]) -> Result:
        """Return `work()`, done meanwhile: the form that is proof against an interrupt anywhere.

        A `with` is not: one that falls between its last line and the first of `__exit__`, while
        a graph is freed for instance, leaves the change.
        """
        try:
            try:
                self.change()
                return work()
            finally:
                self.put_back()
        finally:
            self.put_back()

    def __enter__(self) -> None:
        try:
            self.change()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        try:
            self.put_back()
        finally:
            self.put_back()


def together(*parts: Undone) -> Undone:
    """Return one change of several, taken back in reverse."""

    def change() -> None:
        for part in parts:
            part.change()

    def put_back() -> None:
        for part in reversed(parts):
            part.put_back()

    return Undone(change, put_back)


def gradient_mode(enabled: bool, device: torch.device) -> Undone:
    """Return the gradient mode, without inference mode and autocast."""
    before = torch.is_grad_enabled()
    guards = ExitStack()

    def change() -> None:
        if torch.is_inference_mode_enabled():
            guards.enter_context(torch.inference_mode(False))
        if torch.is_autocast_enabled(device.type):
            guards.enter_context(torch.autocast(device.type, enabled=False))
        torch.set_grad_enabled(enabled)

    def put_back() -> None:
        guards.close()
        torch.set_grad_enabled(before)

    return Undone(change, put_back)


def frozen(
    modes: Sequence[tuple[nn.Module, bool]],
    parameters: Sequence[nn.Parameter],
    *,
    explicit_attention: bool = True,
) -> Undone:
    """Return these train/eval flags, explicit attention and parameters without `.grad`.

    A `backward` within a loss finds no gradient to add to. The places of tensors are put back too.
    """
    modules = [module for module, _ in modes]
    modes_before = [(module, module.training) for module in modules]
    held: list[Any] = [d for m in modules for d in (m._parameters, m._buffers) if d]
    places = [(holder, dict(holder)) for holder in held]
    gradients = [(parameter, parameter.grad) for parameter in parameters]
    kernels = enabled_kernels()

    def change() -> None:
        set_modes(modes)
        if explicit_attention:
            enable_kernels(ONLY_EXPLICIT)
        for parameter, gradient in gradients:
            if gradient is not None:
                parameter.grad = None

    def put_back() -> None:
        set_modes(modes_before)
        for holder, tensors in places:
            holder.update(tensors)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        enable_kernels(kernels)

    return Undone(change, put_back)


def set_modes(modes: Sequence[tuple[nn.Module, bool]]) -> None:
    """Set the train/eval flag of each module."""
    for module, training in modes:
        if module.training != training:
            module.training = training


class RepeatedDraws:
    """Sessions that draw the same random numbers from torch, and give the random state back.

    Where nothing was drawn, later ones leave the process's random state alone.

    Args:
        devices: the CUDA devices whose states belong to it, beside the CPU's.
        anew: whether each session draws what the first drew; if not, it goes on where the last
            one ended.
    """

    def __init__(self, devices: Sequence[torch.device] = (), *, anew: bool = True) -> None:
        self._devices = devices
        self._anew = anew
        self._next: list[Tensor] = []
        self._any: bool | None = None  # unknown before the first session

    def session(self) -> Undone:
        """Return draws from a state of its own, at first the present one, which is put back."""
        if self._any is False and self._anew:
            return together()
        before = self._states()
        after: list[Tensor] = []
        # Beside other threads, a state that moved does not say who drew.
        own = _OwnDraws() if not self._any and threading.active_count() > 1 else None
        watched = ExitStack()

        def change() -> None:
            if self._any:
                self._set(self._next)
            else:
                self._next = before
            if own:
                watched.enter_context(own)

        def put_back() -> None:
            watched.close()
            after[:] = after or self._states()
            if not self._any:
                self._any = own.seen if own else not all(map(torch.equal, after, before))
            if self._any:
                self._next = self._next if self._anew else after
                self._set(before)

        return Undone(change, put_back)

    def _states(self) -> list[Tensor]:
        return [torch.get_rng_state(), *(torch.cuda.get_rng_state(d) for d in self._devices)]

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


def displaced(
    modules: Sequence[nn.Module], parameters: Sequence[Tensor], points: Callable[[], list[Tensor]]
) -> Undone:
    """Return `parameters` with the values `points()`; their own, to the bit, are put back.

    They are written in place, so wrappers, closures and shards see them; no graph notices.
    """
    kept = [parameter.detach().clone() for parameter in parameters]

    def write(values: Sequence[Tensor]) -> None:
        for module in modules:
            if hasattr(module, "unshard"):  # FSDP2 may still hold the gathered old values
                module.reshard()  # type: ignore[operator]
        for parameter, value in zip(parameters, values, strict=True):
            parameter.data.copy_(value)

    return Undone(lambda: write(points()), lambda: write(kept))
