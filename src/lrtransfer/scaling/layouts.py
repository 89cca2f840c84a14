"""What is known of module classes beforehand: `layouts.yaml`, or a user's entries in its form.

    known = read_layouts(model)
    known.branches  # module whose output is added to a residual stream -> its last affine map

Nothing is imported to match a class: only names are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

TABLE = Path(__file__).with_name("layouts.yaml")

AXES = frozenset({"out", "in", "stack", "rows"})
_MARKS = frozenset({"kept", "undecayed", "uneven"})
_TENSOR_ROLES = frozenset(
    {"input", "embedding", "positional", "hidden", "output", "scalar", "bias", "norm_gain"}
)
_FIELDS = frozenset(
    {"tensors", "branches", "inside", "inside_if", "logits", "readout", "final_norm"}
)
_MAPS = re.compile(r"(x|woven)([1-9]\d*)")
_LOGITS = frozenset({"queries", "parts", "interleaved", "head"})

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class TensorLayout:
    """What is said of one tensor.

    Attributes:
        axes: `out`, `in`, `stack` or `rows` for each of its first axes; the others are a kernel's.
        role: Its role, if that is said in place of axes; `bias` and `norm_gain` stand for their
            scalar forms too.
        kept: Whether its initial values stay.
        undecayed: Whether weight decay skips it.
        uneven: Whether its sizes grow by parts, and do not tell the width.
        maps: Of how many maps its outputs consist; None where it is not said.
        woven: Whether the outputs of those alternate.
    """

    axes: tuple[str, ...] = ()
    role: str | None = None
    kept: bool = False
    undecayed: bool = False
    uneven: bool = False
    maps: int | None = None
    woven: bool = False


@dataclass(frozen=True)
class Logits:
    """A module whose output, or part of it, the attention logits are proportional to.

    Attributes:
        name: The module: of the queries or the keys, or an `nn.MultiheadAttention`.
        head_size: d, the dimension of a head.
        part: First and one past the last feature of its output, or None for all.
        period: After how many features the part comes again; None where it does not.
    """

    name: str
    head_size: int
    part: tuple[int, int] | None = None
    period: int | None = None

    def maps(self, outputs: int) -> tuple[int, int] | None:
        """Return of how many maps the module consists and how often they alternate, or None.

        Args:
            outputs: Its features.
        """
        if self.part is None:
            return None
        size = self.part[1] - self.part[0]
        if self.period is None:
            return outputs // size, 1
        return self.period // size, outputs // self.period


@dataclass(frozen=True)
class Known:
    """What the layouts say of one model; all names are from the model on.

    Attributes:
        tensors: Parameter name -> what is said of it.
        branches: Module whose output is added to a residual stream -> the modules and tensors that
            are its last affine map together.
        inside: What else lies in a branch.
        logits: Where attention logits can be multiplied.
        norms: Readout -> the norm whose output, used nowhere else, is its input.
    """

    tensors: Mapping[str, TensorLayout] = field(default_factory=dict)
    branches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    inside: tuple[str, ...] = ()
    logits: tuple[Logits, ...] = ()
    norms: Mapping[str, str] = field(default_factory=dict)

    def named(self, mark: str) -> list[str]:
        """Return the tensors that have a mark: `kept`, `undecayed` or `uneven`."""
        return [name for name, said in self.tensors.items() if getattr(said, mark)]


def map_shape(owner: nn.Module, tensor: Tensor) -> tuple[int, ...]:
    """Return a tensor's shape, of a grouped kernel always with one group's inputs and all outputs.

    A transposed convolution holds (in, out/groups, …), any other (out, in/groups, …).

    Args:
        owner: The module that holds it.
        tensor: The parameter.

    Example:
        >>> from lrtransfer.scaling.layouts import map_shape
        >>> from torch import nn
        >>> layer = nn.ConvTranspose1d(8, 12, 3, groups=4)
        >>> tuple(layer.weight.shape), map_shape(layer, layer.weight)
        ((8, 3, 3), (2, 12, 3))
    """
    shape = tuple(tensor.shape)
    if not isinstance(owner, nn.modules.conv._ConvTransposeNd) or len(shape) < 3:
        return shape
    return shape[0] // owner.groups, shape[1] * owner.groups, *shape[2:]


def read_layouts(model: nn.Module, own: Mapping[str, Entry] | None = None) -> Known:
    """Return what `own` entries, and after them those of `layouts.yaml`, say of a model.

    Args:
        model: Any module.
        own: Regular expression for a class -> an entry, in the form of the file.

    Raises:
        ValueError: An entry of `own` is not in the form of the file.

    Example:
        >>> from lrtransfer.scaling.layouts import read_layouts
        >>> from torch import nn
        >>> read_layouts(nn.Linear(4, 8)).tensors["weight"].axes
        ('out', 'in')
    """
    for key, entry in (own or {}).items():
        _check_entry(key, entry)
    tensors: dict[str, TensorLayout] = {}
    branches: dict[str, tuple[str, ...]] = {}
    inside: list[str] = []
    norms: dict[str, str] = {}
    sites: list[tuple[str, Mapping[str, Any]]] = []
    for name, module in model.named_modules(remove_duplicate=False):
        entry = _entry(module, own or {})
        prefix = f"{name}." if name else ""
        modules = dict(module.named_modules(remove_duplicate=False))
        parameters = dict(module.named_parameters(remove_duplicate=False))
        for leaf in parameters:
            said = next((t for p, t in entry["tensors"].items() if re.fullmatch(p, leaf)), None)
            if said is not None:  # what an outer module said is there already, and counts
                tensors.setdefault(prefix + leaf, _tensor(said))
        for branch, ends in entry["branches"].items():
            if branch in modules:
                there = [end for end in ends.split() if end in modules or end in parameters]
                branches[prefix + branch] = tuple(prefix + end for end in there)
        within = entry["inside"].split()
        for attribute, further in entry["inside_if"].items():
            within += further.split() if getattr(module, attribute, False) else []
        inside += [prefix + leaf for leaf in within if leaf in modules or leaf in parameters]
        if entry["readout"] in modules and entry["final_norm"] in modules:
            norms[prefix + entry["readout"]] = prefix + entry["final_norm"]
        sites += [(name, said) for said in entry["logits"] if said["queries"] in modules][:1]
    logits = tuple(_logits(model, name, said, tensors) for name, said in sites)
    return Known(tensors, branches, tuple(inside), logits, norms)


def _logits(
    model: nn.Module, name: str, said: Mapping[str, Any], tensors: Mapping[str, TensorLayout]
) -> Logits:
    module, prefix = model.get_submodule(name), f"{name}." if name else ""
    queries = (prefix + said["queries"]).rstrip(".")
    head = int(getattr(module, said["head"]))
    parts = said.get("parts", 1)
    if parts == 1:
        return Logits(queries, head)
    if said.get("interleaved", False):
        return Logits(queries, head, (0, head), parts * head)
    weight = f"{queries}.weight"
    outputs = model.get_parameter(weight).shape[tensors[weight].axes.index("out")]
    return Logits(queries, head, (0, outputs // parts))


def _entry(module: nn.Module, own: Mapping[str, Entry]) -> dict[str, Any]:
    """Return the fields for one module, each from the first entry that has it."""
    found: dict[str, Any] = {"tensors": {}}
    for entry in _fitting(type(module), own):
        found["tensors"] = {**entry.get("tensors", {}), **found["tensors"]}
        for name, value in entry.items():
            found.setdefault(name, value)
    found["logits"] = found.get("logits", [])
    if isinstance(found["logits"], Mapping):
        found["logits"] = [found["logits"]]
    empty: dict[str, Any] = {"branches": {}, "inside": "", "inside_if": {}}
    empty |= {"readout": None, "final_norm": None}
    return empty | found


def _fitting(kind: type, own: Mapping[str, Entry]) -> Iterator[Entry]:
    names = [n for c in kind.__mro__ for n in (c.__name__, f"{c.__module__}.{c.__qualname__}")]
    for key, entry in [*own.items(), *_builtin().items()]:
        if any(re.fullmatch(key, name) for name in names):
            yield entry


def _tensor(said: str) -> TensorLayout:
    words = said.split()
    role = next((word for word in words if word in _TENSOR_ROLES), None)
    marks = {mark: mark in words for mark in _MARKS}
    maps = next((found for word in words if (found := _MAPS.fullmatch(word))), None)
    return TensorLayout(
        tuple(word for word in words if word in AXES),
        role,
        **marks,
        maps=None if maps is None else int(maps[2]),
        woven=maps is not None and maps[1] == "woven",
    )


@cache
def _builtin() -> dict[str, Entry]:
    table: dict[str, Entry] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    for key, entry in table.items():
        _check_entry(key, entry)
    return table


def _check_entry(key: str, entry: Any) -> None:
    place = f"the layout of {key}"
    _check_keys(place, entry, _FIELDS)
    for name, said in entry.get("tensors", {}).items():
        words = str(said).split()
        known = AXES | _TENSOR_ROLES | _MARKS
        unknown = [w for w in words if w not in known and not _MAPS.fullmatch(w)]
        axes, roles = [w for w in words if w in AXES], [w for w in words if w in _TENSOR_ROLES]
        if unknown or bool(axes) == bool(roles) or len(roles) > 1:
            raise ValueError(
                f"{place} says {said!r} of {name}. Give the meaning of its axes "
                f"({', '.join(sorted(AXES))}) or a role ({', '.join(sorted(_TENSOR_ROLES))}), "
                f"and after it what applies of {', '.join(sorted(_MARKS))}, x2 (maps side by side) "
                "or woven2."
            )
    sites = entry.get("logits", [])
    for site in [sites] if isinstance(sites, Mapping) else sites:
        _check_keys(f"logits in {place}", site, _LOGITS)
        for name in ("queries", "head"):
            if name not in site:
                raise ValueError(f"logits in {place} lack {name}. Give it.")


def _check_keys(place: str, value: Any, allowed: frozenset[str]) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} is {value!r}. Give a mapping with {', '.join(sorted(allowed))}.")
    if unknown := sorted(map(str, set(value) - allowed)):
        raise ValueError(
            f"{place} has {', '.join(unknown)}. Its keys are {', '.join(sorted(allowed))}."
        )
