"""The multipliers that `parameterize` adds to a module of any kind, and takes off again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Multiply:
    """A forward hook that multiplies what a module returns; picklable by design.

    Attributes:
        factor: The multiplier.
        role: What it multiplies in the parameterization's table, for whoever prints the hooks.
        part: First and one past the last feature of the last axis; None multiplies all.
    """

    factor: float
    role: str = ""
    part: tuple[int, int] | None = None

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        """Return the scaled output; of a tuple, the first entry is scaled.

        Raises:
            TypeError: The output is neither a tensor nor a tuple that begins with one.
        """
        if isinstance(output, Tensor):
            return self._scaled(output)
        if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
            return (self._scaled(output[0]), *output[1:])
        raise TypeError(
            f"a {type(module).__name__} whose {self.role or 'output'} has a multiplier returned "
            f"{type(output).__name__}. Return a tensor, or a tuple that begins with one."
        )

    def _scaled(self, output: Tensor) -> Tensor:
        if self.part is None:
            return output * self.factor
        start, stop = self.part
        scaled = output[..., start:stop] * self.factor
        return torch.cat([output[..., :start], scaled, output[..., stop:]], dim=-1)


@dataclass(frozen=True)
class MultiplyArgument:
    """A forward pre-hook that multiplies one argument of a module's call; picklable by design.

    Attributes:
        factor: The multiplier.
        role: What it multiplies in the parameterization's table.
        position: Place of the argument.
        keyword: Its name, for calls by keyword.
    """

    factor: float
    role: str
    position: int
    keyword: str

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the arguments with the one scaled."""
        at = self.position
        if at < len(args):
            args = (*args[:at], args[at] * self.factor, *args[at + 1 :])
        elif self.keyword in kwargs:
            kwargs = kwargs | {self.keyword: kwargs[self.keyword] * self.factor}
        return args, kwargs


@dataclass(frozen=True)
class Planned:
    """A multiplier that a module shall get.

    Attributes:
        module: The module's name.
        hook: What multiplies its output or an argument.
    """

    module: str
    hook: Multiply | MultiplyArgument


def register(model: nn.Module, planned: Iterable[Planned]) -> None:
    """Add multipliers; one of one adds nothing, and a module with two names gets each once."""
    seen: set[tuple[int, str]] = set()
    for plan in planned:
        module, hook = model.get_submodule(plan.module), plan.hook
        key = (id(module), hook.role)
        if hook.factor == 1.0 or key in seen:
            continue
        seen.add(key)
        if isinstance(hook, Multiply):
            module.register_forward_hook(hook)
        else:
            module.register_forward_pre_hook(hook, with_kwargs=True)


def remove_multipliers(model: nn.Module) -> None:
    """Take every multiplier of this file off ``model``; hooks of others stay."""
    for module in model.modules():
        # Copies and pickles keep hooks but not their handles, so the hooks themselves are sought.
        for key, output_hook in list(module._forward_hooks.items()):
            if isinstance(output_hook, Multiply):
                del module._forward_hooks[key]
        for key, argument_hook in list(module._forward_pre_hooks.items()):
            if isinstance(argument_hook, MultiplyArgument):
                del module._forward_pre_hooks[key]
                module._forward_pre_hooks_with_kwargs.pop(key, None)
