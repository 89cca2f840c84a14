"""Multipliers of attention logits in networks whose attention is written in any way.

Logits are linear in the queries and in the keys, so it is enough to multiply one of these, as it
leaves its projection (or its norm). `nn.MultiheadAttention` has both projections inside: there
the input of the key projection is multiplied. Its key bias then misses the multiplier, but that
bias adds the same to every logit of a query, which the softmax does not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from lrtransfer.scaling import table
from lrtransfer.scaling.hooks import MultiplyArgument, MultiplyOutput, Planned
from lrtransfer.scaling.names import expand, expand_keys, holds
from lrtransfer.scaling.rules import Constants, Shape, scale
from lrtransfer.scaling.table import Rules, module_rule

Told = int | tuple[int, slice] | None
Attention = Mapping[str, Told] | Iterable[str]

_LOOKS_LIKE = re.compile(r"attention|attn", re.IGNORECASE)


@dataclass(frozen=True)
class Logits:
    """A module whose output, or part of it, the attention logits are proportional to.

    Attributes:
        name: The module.
        head_size: d, the dimension of a head.
        part: First and one past the last feature of its output, or None for all.
        fused: Whether it is an `nn.MultiheadAttention`, whose keys are multiplied.
    """

    name: str
    head_size: int
    part: tuple[int, int] | None = None
    fused: bool = False

    def multiplier(self, rules: Rules, constants: Constants, *, width: int, depth: int) -> Planned:
        """Return the multiplier of the logits.

        Raises:
            UnknownRoleError: The rules lack the role.
        """
        rule = module_rule(rules, "attention_logits", self.name)
        shape = Shape(fan_in=self.head_size, width=width, depth=depth)
        factor = scale(rule, shape, constants).multiplier
        if self.fused:
            hook = MultiplyArgument(factor, "attention_logits", position=1, keyword="key")
            return Planned(self.name, hook)
        return Planned(self.name, MultiplyOutput(factor, "attention_logits", self.part))


def resolve_attention(
    model: nn.Module, rules: Rules, attention: Attention | None, *, branch_exponent: float
) -> list[Logits]:
    """Return where the logits are multiplied.

    Args:
        model: The network.
        rules: Role -> exponents.
        attention: Pattern of modules -> head dimension d, for modules that return logits, queries
            or keys; or (d, slice) where these are part of the last axis of what is returned; or
            None for attention that shall stay as it is. Names of `nn.MultiheadAttention` may be
            given as a list. An empty one tells that there is no attention.
        branch_exponent: α.

    Raises:
        ValueError: Logits have a multiplier and a module of attention is not told, or what is
            told does not fit the module; the message names it.
    """
    multiplied = not table.is_one(
        rules.get("attention_logits", {}).get("multiplier", {}), branch_exponent
    )
    modules = {n: m for n, m in model.named_modules(remove_duplicate=False) if n}
    if attention is None:
        if multiplied:
            _check_covered(modules, {})
        return []
    told: dict[str, Told]
    if isinstance(attention, Mapping):
        told = expand_keys(attention, list(modules), "attention")
    else:
        told = {n: _own_size(n, modules[n]) for n in expand(attention, list(modules), "attention")}
    if multiplied and told:
        _check_covered(modules, told)
    found = [
        _logits(name, modules[name], value) for name, value in told.items() if value is not None
    ]
    _check_nested(modules, [site.name for site in found if site.fused])
    return found


def _own_size(name: str, module: nn.Module) -> int:
    if isinstance(module, nn.MultiheadAttention):
        size: int = module.head_dim
        return size
    raise ValueError(
        f"attention names {name!r}, a {type(module).__name__}, without its head dimension. Give "
        f"attention={{{name!r}: head dimension}}."
    )


def _logits(name: str, module: nn.Module, told: int | tuple[int, slice]) -> Logits:
    size, part = told if isinstance(told, tuple) else (told, None)
    if size < 1:
        raise ValueError(f"attention gives {name!r} the head dimension {size}. Give 1 or more.")
    if isinstance(module, nn.MultiheadAttention):
        if size != module.head_dim or part is not None:
            raise ValueError(
                f"attention tells {told!r} of {name!r}, whose heads have {module.head_dim} "
                "dimensions. Give that number."
            )
        if module.bias_k is not None or module.add_zero_attn:
            raise ValueError(
                f"{name!r} attends to a key of its own (add_bias_kv or add_zero_attn), which no "
                "multiplier reaches. Turn it off, or give None to leave its logits alone."
            )
        return Logits(name, size, fused=True)
    if part is None:
        return Logits(name, size)
    start, stop = part.start or 0, part.stop
    if part.step not in (None, 1) or stop is None or not 0 <= start < stop:
        raise ValueError(f"attention gives {name!r} {part}. Give slice(first, last + 1).")
    return Logits(name, size, part=(start, stop))


def _check_nested(modules: Mapping[str, nn.Module], fused: list[str]) -> None:
    """Raise for torch's encoder that packs padded samples: it needs keys that are the queries."""
    for outer, module in modules.items():
        packs = isinstance(module, nn.TransformerEncoder) and module.use_nested_tensor
        if packs and any(holds(outer, name) for name in fused):
            raise ValueError(
                f"{outer!r} packs padded samples into nested tensors, for which torch has no "
                "multiplied keys. Build it with enable_nested_tensor=False."
            )


def _check_covered(modules: Mapping[str, nn.Module], told: Mapping[str, Told]) -> None:
    """Raise for the first module of attention that `told` neither names, holds nor is in."""
    found = [
        name
        for name, module in modules.items()
        if isinstance(module, nn.MultiheadAttention) or _LOOKS_LIKE.search(type(module).__name__)
    ]
    for name in found:
        fused = isinstance(modules[name], nn.MultiheadAttention)
        within = any(holds(outer, name) for outer in found)
        covered = any(name == t or holds(name, t) or holds(t, name) for t in told)
        if not covered and (fused or not within):
            raise ValueError(
                f"{name!r} is a {type(modules[name]).__name__}, and the parameterization "
                "multiplies attention logits. Give attention= {pattern: head dimension} with "
                "patterns of the nn.MultiheadAttention modules, or of the modules that return "
                "logits, queries or keys; None in place of a number leaves one alone, and {} all."
            )
