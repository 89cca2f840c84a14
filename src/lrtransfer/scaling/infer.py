"""The role of every tensor of an outsider's network, from two instances of different width.

What grows tells the role (Yang et al. 2022, 2203.03466, App. B): both sides of a matrix, a hidden
one; its outputs alone, an input; its inputs alone, an output; neither, a scalar. Which axis is
which side, and what is no matrix, the layouts tell (`layouts.yaml`), and of a tensor that they do
not know how it starts: a gain at one, a bias at zero. What this leaves open is an error, never a
guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from lrtransfer.scaling.layouts import TensorLayout, map_shape

_MATRIX_ROLES = {
    (True, True): "hidden",
    (True, False): "input",
    (False, True): "output",
    (False, False): "scalar",
}
_TABLE_ROLES = {(False, True): "embedding", (False, False): "scalar"}
# How the name of a bare table ends: `pos_embed`, `cls_token`, `positions.weight`.
_TABLES = frozenset(
    {"cls", "emb", "embed", "embedding", "embeddings", "token", "tokens"}
    | {"pos", "position", "positions"}
)
_OTHER_SIZES = (
    "If base has another vocabulary, other inputs or other classes than the model, give "
    "base=(base, other), two that differ in width alone, and layout=lt.Layout(width=(N, N₀))."
)


class UnplacedTensorError(ValueError):
    """Tensors whose role cannot be read off; the message names each with the remedy."""


@dataclass(frozen=True)
class Growth:
    """One parameter beside its namesake in the network of another width.

    Attributes:
        name: Its name.
        owner: The module that holds it.
        tensor: The parameter.
        base: Its namesake; fresh, so that its values tell how it starts, unless on `meta`.
        said: What the layouts say of it.
        sizes: Of each dimension, in the two (see `map_shape`).
    """

    name: str
    owner: nn.Module
    tensor: Tensor
    base: Tensor
    said: TensorLayout
    sizes: tuple[tuple[int, int], ...]

    @property
    def grows(self) -> tuple[bool, ...]:
        """Whether each dimension differs between the two."""
        return tuple(size != other for size, other in self.sizes)

    def starts_at(self, value: float) -> bool:
        """Return whether every entry is `value`."""
        values = self.tensor if self.base.is_meta else self.base
        return bool((values.detach() == value).all())


def growths(model: nn.Module, base: nn.Module, said: Mapping[str, TensorLayout]) -> list[Growth]:
    """Return every parameter of `model`, tied ones under each name, beside that of `base`.

    Args:
        model: The network.
        base: The network of another width.
        said: Parameter name -> what the layouts say of it.

    Raises:
        ValueError: The two differ in more than width: in names, or in numbers of dimensions; or
            base has layers without shapes yet.

    Example:
        >>> from lrtransfer.scaling.infer import growths
        >>> from torch import nn
        >>> [found.grows for found in growths(nn.Linear(4, 16), nn.Linear(4, 8), {})]
        [(True, False), (True,)]
    """
    own = dict(model.named_parameters(remove_duplicate=False))
    others = dict(base.named_parameters(remove_duplicate=False))
    for name in [*own, *others]:
        if name not in own or name not in others:
            lacking = "base" if name not in others else "the model"
            raise ValueError(
                f"{lacking} lacks {name!r}. Give a base that differs in width alone, neither "
                "compiled nor wrapped."
            )
        if isinstance(others[name], UninitializedParameter):
            raise ValueError(
                f"{name!r} has no shape in base. Call base once on a batch, so that its lazy "
                "layers take theirs."
            )
        if own[name].ndim != others[name].ndim:
            raise ValueError(
                f"{name!r} has {own[name].ndim} dimensions in the model and {others[name].ndim} in "
                "base. Give a base that differs in width alone."
            )
    found = []
    for name, tensor in own.items():
        holds, in_base = (m.get_submodule(name.rpartition(".")[0]) for m in (model, base))
        shapes = map_shape(holds, tensor), map_shape(in_base, others[name])
        layout = said.get(name, TensorLayout())
        sizes = tuple(zip(*shapes, strict=True))
        found.append(Growth(name, holds, tensor, others[name], layout, sizes))
    return found


def differ(found: list[Growth]) -> bool:
    """Return whether any tensor grows, that is whether the two widths differ."""
    return any(any(growth.grows) for growth in found)


def check_width(found: list[Growth]) -> None:
    """Refuse two networks that differ in their inputs or outputs in place of their width.

    Raises:
        ValueError: Of several matrices one alone differs.
    """
    matrices = [growth for growth in found if growth.tensor.ndim > 1]
    growing = [growth for growth in matrices if any(growth.grows)]
    if len(matrices) > 1 and len(growing) == 1:
        raise ValueError(
            f"of all matrices {growing[0].name!r} alone differs between the model and base: they "
            f"differ in their inputs or outputs, not in width. {_OTHER_SIZES}"
        )


def infer_roles(found: list[Growth], told: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return parameter name -> its role; roles that are possible, if nothing grows anywhere.

    Args:
        found: Every parameter beside that of another width, or of the same (see `differ`).
        told: Roles that the user gives, which count more.

    Raises:
        UnplacedTensorError: Tensors without a told role that cannot be placed.

    Example:
        >>> from lrtransfer.scaling.infer import growths, infer_roles
        >>> from lrtransfer.scaling.layouts import read_layouts
        >>> from torch import nn
        >>> wide, narrow = nn.Linear(4, 16), nn.Linear(4, 8)
        >>> infer_roles(growths(wide, narrow, read_layouts(wide).tensors), {})
        {'weight': ('input',), 'bias': ('bias',)}
    """
    known = differ(found)
    roles: dict[str, tuple[str, ...]] = {}
    unplaced: list[Growth] = []
    for growth in found:
        ways = [growth.grows] if known else product((True, False), repeat=growth.tensor.ndim)
        possible = [told[growth.name]] if growth.name in told else [_role(growth, w) for w in ways]
        roles[growth.name] = tuple(dict.fromkeys(role for role in possible if role is not None))
        if not roles[growth.name]:
            unplaced.append(growth)
    if unplaced:
        raise UnplacedTensorError(_unplaced(unplaced))
    return roles


def _unplaced(growths: list[Growth]) -> str:
    tensors = "; ".join(
        f"{growth.name!r} of shape {tuple(growth.tensor.shape)} in a "
        f"{type(growth.owner).__name__} (base: {tuple(growth.base.shape)})"
        for growth in growths
    )
    first = growths[0]
    kind, leaf = type(first.owner).__name__, first.name.rpartition(".")[2]
    return (
        f"cannot tell the role of {tensors}. Say which of its axes are inputs and outputs, "
        f'layout=lt.Layout(modules={{"{kind}": {{"tensors": {{"{leaf}": "out in"}}}}}}), or its '
        f'role, layout=lt.Layout(roles={{"{first.name}": role}}): one of input, embedding, '
        "positional, hidden, output, bias, norm_gain, scalar, scalar_bias, scalar_gain. "
        f"{_OTHER_SIZES}"
    )


def infer_width(found: list[Growth]) -> tuple[int, int]:
    """Return N and N₀: the size that grows most often, and what it is in the base.

    Raises:
        ValueError: Not all growing dimensions have the same ratio N/N₀.

    Example:
        >>> from lrtransfer.scaling.infer import growths, infer_width
        >>> from torch import nn
        >>> infer_width(growths(nn.Linear(4, 16), nn.Linear(4, 8), {}))
        (16, 8)
    """
    pairs = list(_growing(found))
    (width, base_width), _ = Counter((size, other) for _, size, other in pairs).most_common(1)[0]
    for name, size, other in pairs:
        if size * base_width != other * width:
            raise ValueError(
                f"a dimension of {name!r} grows from {other} to {size}, others from {base_width} "
                f"to {width}: there is no one width. Give layout=lt.Layout(width=(N, N₀)). "
                f"{_OTHER_SIZES}"
            )
    return width, base_width


def _growing(found: list[Growth]) -> Iterator[tuple[str, int, int]]:
    for growth in found:
        for size, other in growth.sizes:
            if size != other and not growth.said.uneven:
                yield growth.name, size, other


def _role(growth: Growth, grows: tuple[bool, ...]) -> str | None:
    """Return the role of a tensor whose axes grow as told, or None."""
    axes, role = growth.said.axes, growth.said.role
    if role is not None:
        return _sized(role, any(grows))
    if not axes:
        return _bare_role(growth, grows)
    if len(axes) > len(grows) or any(grows[len(axes) :]):  # a kernel does not grow
        return None
    of = dict(zip(axes, grows, strict=False))
    if "rows" in of:
        return _TABLE_ROLES.get((of["rows"], of["out"]))
    return _MATRIX_ROLES[of["out"], of["in"]]


def _bare_role(growth: Growth, grows: tuple[bool, ...]) -> str | None:
    """Return the role of a tensor that no layout knows, or None."""
    shape = growth.tensor.shape
    words = growth.name.removesuffix(".weight").rpartition(".")[2].lower().split("_")
    if len(shape) >= 2 and grows[-1] and not any(grows[:-1]) and words[-1] in _TABLES:
        return "positional" if any(word.startswith("pos") for word in words) else "embedding"
    if sum(size > 1 for size in shape) <= 1:
        for value, kind in ((1.0, "norm_gain"), (0.0, "bias")):
            if growth.starts_at(value):
                return _sized(kind, any(grows))
    if growth.tensor.numel() == 1:
        return "scalar"
    return None


def _sized(role: str, grows: bool) -> str:
    return role if grows else {"bias": "scalar_bias", "norm_gain": "scalar_gain"}.get(role, role)
