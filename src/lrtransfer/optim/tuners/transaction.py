"""A step is whole or did not happen: what it may change is remembered, and put back on an error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.curvature.attention_kernels import KERNELS, Switch
from lrtransfer.optim.tuners.sharded import local

# What a step sets for the process or the thread.
_SWITCHES: tuple[Switch, ...] = ((torch.is_grad_enabled, torch.set_grad_enabled), *KERNELS)

_claims: dict[int, int] = {}
_claiming = threading.Lock()


class Snapshot:
    """Parameters, gradients, a base optimizer and a tuner's numbers before a step.

    The base's state keeps its tensors: `restore` writes the old values into them.

    Args:
        base: The optimizer.
        parameters: What the step may move.
        memory: The tuner's numbers; its values are replaced, never changed in place.
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        parameters: Sequence[nn.Parameter],
        memory: dict[str, Any],
    ) -> None:
        self._switches = [read() for read, _ in _SWITCHES]
        self._grads = [parameter.grad for parameter in parameters]
        self._parameters = parameters
        self._state = base.state
        self._entries = dict(base.state)
        self._dicts = [
            (owned, owned.copy()) for owned in (memory, *base.param_groups, *base.state.values())
        ]
        kept: list[Tensor] = [parameter.detach() for parameter in parameters]
        for entry in base.state.values():
            kept += [value for value in entry.values() if isinstance(value, Tensor)]
        # All in one: a copy of each would cost four times the time.
        self._tensors = [(t, torch.cat([one.flatten() for one in t])) for t in _by_kind(kept)]

    def restore(self) -> None:
        """Put everything back; to do so twice does no harm."""
        for (_, write), was in zip(_SWITCHES, self._switches, strict=True):
            write(was)
        with torch.no_grad():
            for tensors, packed in self._tensors:
                values = torch.split(packed, [tensor.numel() for tensor in tensors])
                for tensor, value in zip(tensors, values, strict=True):
                    tensor.copy_(value.view(tensor.shape))
        for owned, items in self._dicts:
            owned.clear()
            owned.update(items)
        self._state.clear()
        self._state.update(self._entries)
        for parameter, gradient in zip(self._parameters, self._grads, strict=True):
            parameter.grad = gradient


def _by_kind(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    kinds: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.dtype, tensor.device), []).append(local(tensor))
    return list(kinds.values())


class Undo:
    """A block that did not happen if it raises, Ctrl-C included: then, or when called, `restores`.

    No generator: one that an interrupt left suspended would end, and undo, at any later time.
    """

    def __init__(self, *restores: Callable[[], None]) -> None:
        self._restores = restores

    def __call__(self) -> None:
        """Put everything back."""
        for restore in self._restores:
            restore()

    def __enter__(self) -> Undo:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            try:
                self()
            finally:
                self()  # a second Ctrl-C may have cut the first short


@contextmanager
def claimed(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Keep other threads from stepping `parameters` meanwhile.

    Raises:
        RuntimeError: Another thread is stepping one of them.
    """
    me = threading.get_ident()
    keys = [id(parameter) for parameter in parameters]
    with _claiming:
        if any(_claims.get(key, me) != me for key in keys):
            raise RuntimeError(
                "another thread is in a step of the same parameters; let one thread at a time "
                "step a model"
            )
        mine = [key for key in keys if key not in _claims]
    try:
        _claims.update(dict.fromkeys(mine, me))
        yield
    finally:
        for key in mine:
            _claims.pop(key, None)
