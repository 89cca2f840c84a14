"""A start of torch without its compiler, on which a third of a job's or a check's start is spent.

Making any optimizer of torch imports `torch._dynamo`, and with it sympy, only to tell a compiler
that may never come to pass over a function. Until somebody asks for more than that, a stand-in
answers; then the compiler itself takes its place.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

_NAME = "torch._dynamo"


class _StandIn(ModuleType):
    """`torch._dynamo` as far as torch's optimizers ask for it when nothing is compiled."""

    @staticmethod
    def graph_break(*args: Any, **kwargs: Any) -> None:
        """Tell a compiler to begin anew here: there is none."""

    def disable(self, function: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return the function; one that torch has wrapped already needs no more."""
        if kwargs.get("wrapping") is False:
            return function
        return _compiler().disable(function, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)  # what `import` itself looks for
        return getattr(_compiler(), name)


def leave_out_compiler() -> None:
    """Put off the import of torch's compiler until `torch.compile` or another part needs it."""
    if _NAME not in sys.modules:
        sys.modules[_NAME] = _StandIn(_NAME)


def _compiler() -> ModuleType:
    """Return the compiler, imported now if it was put off."""
    if isinstance(sys.modules.get(_NAME), _StandIn):
        del sys.modules[_NAME]
        vars(torch).pop("_dynamo", None)
    return import_module(_NAME)
