"""Multipliers of attention logits in networks whose attention is written in any way.

Logits are linear in the queries and in the keys, so it is enough to multiply one of these, as it
leaves its projection (or its norm). `nn.MultiheadAttention` has both projections inside: there
the input of the key projection is multiplied. Its key bias then misses the multiplier, but that
bias adds the same to every logit of a query, which the softmax does not see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import nn

from lrtransfer.scaling import table
from lrtransfer.scaling.hooks import MultiplyArgument, MultiplyOutput, Planned
from lrtransfer.scaling.layout import Attention
from lrtransfer.scaling.layouts import Logits
from lrtransfer.scaling.names import expand, expand_keys, holds
from lrtransfer.scaling.rules import Constants, Shape, scale
from lrtransfer.scaling.table import Rules, module_rule

Told = int | tuple[int, slice] | None

_LOOKS_LIKE = re.compile(r"attention|attn", re.IGNORECASE)


def multiplier(
    model: nn.Module, site: Logits, rules: Rules, constants: Constants, *, width: int, depth: int
) -> Planned:
    """Return the multiplier of the logits.

    Raises:
        UnknownRoleError: The rules lack the role.
    """
    rule = module_rule(rules, "attention_logits", site.name)
    shape = Shape(fan_in=site.head_size, width=width, depth=depth)
    factor = scale(rule, shape, constants).multiplier
    if isinstance(model.get_submodule(site.name), nn.MultiheadAttention):
        of_keys = MultiplyArgument(factor, "attention_logits", position=1, keyword="key")
        return Planned(site.name, of_keys)
    return Planned(site.name, MultiplyOutput(factor, "attention_logits", site.part, site.period))


def resolve_attention(
    model: nn.Module,
    rules: Rules,
    attention: Attention | None,
    known: Iterable[Logits],
    *,
    branch_exponent: float,
) -> list[Logits]:
    """Return where the logits are multiplied.

    Args:
        model: The network.
        rules: Role -> exponents.
        attention: What the user tells (`Layout.attention`).
        known: What the layouts tell, which counts if the user tells nothing.
        branch_exponent: α.

    Raises:
        ValueError: Logits have a multiplier and a module of attention is not told, or what is
            told does not fit the module; the message names it.
    """
    multiplied = not table.is_one(
        rules.get("attention_logits", {}).get("multiplier", {}), branch_exponent
    )
    modules = dict(model.named_modules(remove_duplicate=False))
    if attention is None:
        found = list(known) if multiplied else []
        covered = [site.name for site in found]
    else:
        told = _told(attention, modules)
        found = [_logits(n, modules[n], value) for n, value in told.items() if value is not None]
        covered = list(told)
    if multiplied and (covered or attention is None):
        _check_covered(modules, covered)
    fused = [s.name for s in found if isinstance(modules[s.name], nn.MultiheadAttention)]
    for name in fused:
        _check_own_keys(name, modules[name])
    _check_nested(modules, fused)
    return found


def _told(attention: Attention, modules: Mapping[str, nn.Module]) -> dict[str, Told]:
    names = [name for name in modules if name]
    if isinstance(attention, Mapping):
        return expand_keys(attention, names, "attention")
    return {n: _own_size(n, modules[n]) for n in expand(attention, names, "attention")}


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
    if isinstance(module, nn.MultiheadAttention) and (size != module.head_dim or part is not None):
        raise ValueError(
            f"attention tells {told!r} of {name!r}, whose heads have {module.head_dim} "
            "dimensions. Give that number."
        )
    if part is None:
        return Logits(name, size)
    start, stop = part.start or 0, part.stop
    if part.step not in (None, 1) or stop is None or not 0 <= start < stop:
        raise ValueError(f"attention gives {name!r} {part}. Give slice(first, last + 1).")
    return Logits(name, size, part=(start, stop))


def _check_own_keys(name: str, module: nn.MultiheadAttention) -> None:
    if module.bias_k is not None or module.add_zero_attn:
        raise ValueError(
            f"{name!r} attends to a key of its own (add_bias_kv or add_zero_attn), which no "
            "multiplier reaches. Turn it off, or leave its logits alone: "
            f'layout=lt.Layout(attention={{"{name}": None}}).'
        )


def _check_nested(modules: Mapping[str, nn.Module], fused: list[str]) -> None:
    """Raise for torch's encoder that packs padded samples: it needs keys that are the queries."""
    for outer, module in modules.items():
        packs = isinstance(module, nn.TransformerEncoder) and module.use_nested_tensor
        if packs and any(holds(outer, name) for name in fused):
            raise ValueError(
                f"{outer!r} packs padded samples into nested tensors, for which torch has no "
                "multiplied keys. Build it with enable_nested_tensor=False, or set its "
                "use_nested_tensor to False."
            )


def _check_covered(modules: Mapping[str, nn.Module], told: Iterable[str]) -> None:
    """Raise for the first module of attention that `told` neither names, holds nor is in."""
    found = [
        name
        for name, module in modules.items()
        if isinstance(module, nn.MultiheadAttention)
        or (name and _LOOKS_LIKE.search(type(module).__name__))
    ]
    for name in found:
        fused = isinstance(modules[name], nn.MultiheadAttention)
        within = any(holds(outer, name) for outer in found)
        covered = any(name == t or holds(name, t) or holds(t, name) for t in told)
        if not covered and (fused or not within):
            kind = type(modules[name]).__name__
            raise ValueError(
                f"{name!r} is a {kind}, and the parameterization multiplies attention logits. Name "
                "the module inside that returns logits, queries or keys, and the attribute with a "
                f'head\'s dimension: layout=lt.Layout(modules={{"{kind}": {{"logits": '
                '{"queries": …, "head": …}}}). Or layout=lt.Layout(attention={pattern of such '
                "modules: head dimension}), where None in place of a number leaves one alone, and "
                "{} all."
            )
