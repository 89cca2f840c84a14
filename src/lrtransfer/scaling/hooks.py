"""The multipliers that `parameterize` adds to a module of any kind, and takes off again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Proxy

from lrtransfer.scaling.first_pass import Deed, FirstPass, Unscripted


@dataclass(frozen=True)
class MultiplyOutput(Unscripted):
    """A forward hook that multiplies what a module returns; picklable by design.

    Attributes:
        factor: The multiplier.
        role: What it multiplies in the parameterization's table, for whoever prints the hooks.
        part: First and one past the last feature of the last axis; None multiplies all.
        period: After how many features the part comes again; None where it does not.
        deed: Where it notes that it acts.
    """

    factor: float
    role: str = ""
    part: tuple[int, int] | None = None
    period: int | None = None
    deed: Deed | None = field(default=None, compare=False, repr=False)

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        """Return the scaled output; of a tuple, the first entry is scaled.

        Raises:
            TypeError: The output is neither a tensor nor a tuple that begins with one.
        """
        _note(self.deed)
        if isinstance(output, Tensor | Proxy):
            return self._scaled(output)
        if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
            return (self._scaled(output[0]), *output[1:])
        raise TypeError(
            f"a {type(module).__name__} whose {self.role or 'output'} has a multiplier returned "
            f"{type(output).__name__}. Return a tensor, or a tuple that begins with one."
        )

    def _scaled(self, output: Any) -> Any:
        if self.part is None:
            return output * self.factor
        start, stop = self.part
        features = torch.unflatten(output, -1, (-1, self.period or output.shape[-1]))
        scaled = features[..., start:stop] * self.factor  # (…, periods, stop - start)
        parts = [features[..., :start], scaled, features[..., stop:]]
        return torch.cat(parts, dim=-1).flatten(-2)


@dataclass(frozen=True)
class MultiplyArgument(Unscripted):
    """A forward pre-hook that multiplies one argument of a module's call; picklable by design.

    Attributes:
        factor: The multiplier.
        role: What it multiplies in the parameterization's table.
        position: Place of the argument.
        keyword: Its name, for calls by keyword.
        deed: Where it notes that it acts.
    """

    factor: float
    role: str
    position: int
    keyword: str
    deed: Deed | None = field(default=None, compare=False, repr=False)

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the arguments with the one scaled."""
        _note(self.deed)
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
    hook: MultiplyOutput | MultiplyArgument


def effective(model: nn.Module, planned: Iterable[Planned]) -> list[Planned]:
    """Return the multipliers that change something; a module with two names has each once."""
    found: dict[tuple[int, str], Planned] = {}
    for plan in planned:
        if plan.hook.factor == 1.0:
            continue
        found.setdefault((id(model.get_submodule(plan.module)), plan.hook.role), plan)
    return list(found.values())


def register(model: nn.Module, planned: Iterable[Planned]) -> None:
    """Add multipliers, and to the model what asks after its first pass whether they acted."""
    deeds = []
    for plan in planned:
        deeds.append(Deed(plan.module, plan.hook.role))
        module, hook = model.get_submodule(plan.module), replace(plan.hook, deed=deeds[-1])
        if isinstance(hook, MultiplyOutput):
            module.register_forward_hook(hook)
        else:
            module.register_forward_pre_hook(hook, with_kwargs=True)
    if deeds:
        model.register_forward_hook(FirstPass(tuple(deeds)))


def multipliers(model: nn.Module) -> list[Planned]:
    """Return every multiplier that `register` added to `model`, or to what it is a copy of.

    Example:
        >>> from lrtransfer.scaling.hooks import MultiplyOutput, multipliers
        >>> from torch import nn
        >>> layer = nn.Linear(2, 2)
        >>> _ = layer.register_forward_hook(MultiplyOutput(2.0, "branch"))
        >>> [(found.module, found.hook.factor) for found in multipliers(nn.Sequential(layer))]
        [('0', 2.0)]
    """
    return [
        Planned(name, hook)
        for name, module in model.named_modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
        if isinstance(hook, MultiplyOutput | MultiplyArgument)
    ]


def remove_multipliers(model: nn.Module, *, keep: Iterable[Planned] = ()) -> None:
    """Take the multipliers of this file off `model`; hooks of others stay.

    Args:
        model: The network.
        keep: Of `multipliers(model)`, those that stay.

    Example:
        >>> from lrtransfer.scaling.hooks import MultiplyOutput, remove_multipliers
        >>> import torch
        >>> from torch import nn
        >>> layer = nn.Identity()
        >>> _ = layer.register_forward_hook(MultiplyOutput(2.0))
        >>> layer(torch.ones(1)).item()
        2.0
        >>> remove_multipliers(layer)
        >>> layer(torch.ones(1)).item()
        1.0
    """
    kept = {id(plan.hook) for plan in keep}
    for module in model.modules():
        # Copies and pickles keep hooks but not their handles, so the hooks themselves are sought.
        for key, hook in list(module._forward_hooks.items()):
            if isinstance(hook, MultiplyOutput) and id(hook) not in kept:
                _note(hook.deed)  # nobody shall ask whether it acts
                del module._forward_hooks[key]
            elif isinstance(hook, FirstPass) and not kept:
                del module._forward_hooks[key]
        for key, argument_hook in list(module._forward_pre_hooks.items()):
            if isinstance(argument_hook, MultiplyArgument) and id(argument_hook) not in kept:
                _note(argument_hook.deed)
                del module._forward_pre_hooks[key]
                module._forward_pre_hooks_with_kwargs.pop(key, None)


def _note(deed: Deed | None) -> None:
    # A compiler would keep the note, and compile again once it has been taken.
    if deed is not None and not torch.compiler.is_compiling():
        deed.done = True
