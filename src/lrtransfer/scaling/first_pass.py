"""Whether multipliers act: asked once, after the first forward pass that has a graph.

A hook acts when its module is called. `F.linear(x, block.weight)` and `block.forward(x)` use the
module without calling it. A module that merely was not called may have been skipped (layer drop,
an early exit, a branch for other inputs), so the question is whether a parameter that it alone
holds lies in the graph of what the model returned.

Not seen: models of which only methods or parts are called, or only under `no_grad`; modules
without trained parameters of their own, tied ones among them; what is compiled; modules skipped
in that one pass. Named wrongly: a module that was skipped while its weights enter the output by
another way, a penalty returned beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node


class Unscripted:
    """A hook that TorchScript cannot compile, and that says so when it asks for its name."""

    @property
    def __name__(self) -> str:
        raise AttributeError(
            "torch.jit.script cannot compile the multipliers of lrtransfer.parameterize. "
            "Use torch.jit.trace, torch.export or torch.compile, which keep them."
        )


@dataclass
class Deed:
    """Whether a multiplier has acted, in any pass.

    Attributes:
        module: Name of its module.
        role: What it multiplies.
        done: Whether it has.
    """

    module: str
    role: str
    done: bool = False


@dataclass(frozen=True, eq=False)
class FirstPass(Unscripted):
    """A forward hook of the model that asks once for the deeds of its multipliers, and leaves.

    Attributes:
        deeds: Of every multiplier, shared with its hook in copies and pickles too.
    """

    deeds: tuple[Deed, ...]

    def __call__(self, model: nn.Module, inputs: Any, output: Any) -> None:
        """Ask, unless the pass tells nothing.

        Raises:
            RuntimeError: The parameters of a module with a multiplier were used, and it was not
                called; the message names it.
        """
        if torch.compiler.is_compiling():
            return
        idle = [deed for deed in self.deeds if not deed.done]
        if idle:
            roots = [t.grad_fn for t in _tensors(output) if t.grad_fn is not None]
            if not roots:
                return
            _check(model, idle, roots)
        for key, hook in list(model._forward_hooks.items()):
            if hook is self:
                del model._forward_hooks[key]


def _check(model: nn.Module, idle: list[Deed], roots: list[Node]) -> None:
    reached, compiled = set(), any(map(_is_compiled, model.modules()))
    for node in _nodes(roots):
        compiled |= node.name().startswith("CompiledFunction")
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
    if compiled:  # Hooks in compiled code take no notes.
        return
    holders = Counter(id(p) for module in model.modules() for p in module._parameters.values())
    for deed in idle:
        module = model.get_submodule(deed.module)
        if any(id(p) in reached and holders[id(p)] == 1 for p in module.parameters()):
            raise RuntimeError(
                f"{deed.module!r}, a {type(module).__name__}, has a multiplier ({deed.role}) that "
                "did not act: its parameters were used, but it was not called. Call it as a "
                "module, not its forward or its weight, or name a module that is called."
            )


def _is_compiled(module: nn.Module) -> bool:
    # By its name, since importing its class takes seconds.
    return module._compiled_call_impl is not None or type(module).__name__ == "OptimizedModule"


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        yield from _tensors(list(output.values()))
    elif isinstance(output, list | tuple):
        for entry in output:
            yield from _tensors(entry)


def _nodes(roots: list[Node]) -> Iterator[Node]:
    seen, waiting = set(roots), list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
