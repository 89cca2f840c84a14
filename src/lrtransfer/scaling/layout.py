"""What a user says of a model, where two widths and the known layouts do not tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lrtransfer.scaling.layouts import Entry
from lrtransfer.scaling.roles import Roles

Patterns = str | Iterable[str]
Attention = Mapping[str, int | tuple[int, slice] | None] | Iterable[str]


@dataclass(frozen=True)
class Layout:
    """What is told of a model; what is told counts more than what is found.

    Patterns name modules or parameters as `named_modules` and `named_parameters` do; a `*` stands
    for one part between dots. What holds for every module of a class is said once, in `modules`.

    Attributes:
        modules: Regular expression for a class -> what its modules are, in the form of
            `layouts.yaml`, which knows torch's modules and models of transformers:
            `{"Block": {"branches": {"attn": "attn.out", "mlp": "mlp.2"}, "inside": "ln_1 ln_2"}}`.
        roles: Pattern of parameters -> role.
        fans: Pattern of parameters -> (fan-in, fan-out), for matrices of modules of your own.
        branches: Patterns of the modules whose output is added to a residual stream; an empty
            list tells that there are none.
        inside: Patterns of further modules or parameters that lie in a branch, such as pre-norms.
        attention: Where attention logits are multiplied: pattern of modules that return logits,
            queries or keys -> head dimension d, or (d, slice) if these are part of the last axis
            of the output; None leaves one alone, and an empty mapping all. Or a list of patterns
            of `nn.MultiheadAttention`.
        kept: Patterns of parameters whose initial values have a meaning and stay.
        width: (N, N₀), where no `base` tells them, or no one ratio.
        depth: L; the number of branches if left out.

    Example:
        >>> import lrtransfer as lt
        >>> lt.Layout(branches="blocks.*", inside=[]).branches
        'blocks.*'
    """

    modules: Mapping[str, Entry] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    fans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    branches: Patterns | None = None
    inside: Patterns | None = None
    attention: Attention | None = None
    kept: Patterns = ()
    width: tuple[int, int] | None = None
    depth: int | None = None

    @classmethod
    def of(cls, told: Layout | Roles | None) -> Layout:
        """Return a layout for what `parameterize` takes: a study's model tells `Roles`."""
        if isinstance(told, Roles):
            return cls(roles=told.tensors, branches=told.branches, attention=told.attention_logits)
        if not isinstance(told, Layout | None):
            raise ValueError(f"layout is a {type(told).__name__}. Give lt.Layout(roles={{…}}, …).")
        return told or cls()


def listed(patterns: Patterns) -> list[str]:
    """Return the patterns as a list.

    Example:
        >>> from lrtransfer.scaling.layout import listed
        >>> listed("blocks.*")
        ['blocks.*']
    """
    return [patterns] if isinstance(patterns, str) else list(patterns)
