"""The role of every tensor of an outsider's network, from two instances of different width.

What grows tells the role (Yang et al. 2022, 2203.03466, App. B): both sides of a matrix, a hidden
one; its outputs alone, an input; its inputs alone, an output; neither, a scalar. What is no matrix
is told by the module that holds it, and a module that torch does not know by how its tensor starts:
a gain at one, a bias at zero. What this leaves open is an error, never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from lrtransfer.scaling.fans import MATRIX_OWNERS, TABLES

_NORMS = (
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,  # every batch and instance norm
)
_MATRIX_ROLES = {
    (True, True): "hidden",
    (True, False): "input",
    (False, True): "output",
    (False, False): "scalar",
}
_TABLE_ROLES = {(False, True): "embedding", (False, False): "scalar"}


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
    """

    name: str
    owner: nn.Module
    tensor: Tensor
    base: Tensor

    @property
    def grows(self) -> tuple[bool, ...]:
        """Whether each dimension differs between the two."""
        return tuple(a != b for a, b in zip(self.tensor.shape, self.base.shape, strict=True))

    def starts_at(self, value: float) -> bool:
        """Return whether every entry is `value`."""
        values = self.tensor if self.base.is_meta else self.base
        return bool((values.detach() == value).all())


def growths(model: nn.Module, base: nn.Module) -> list[Growth]:
    """Return every parameter of `model`, tied ones under each name, beside that of `base`.

    Raises:
        ValueError: The two differ in more than width: in names, or in numbers of dimensions.

    Example:
        >>> from lrtransfer.scaling.infer import growths
        >>> from torch import nn
        >>> [found.grows for found in growths(nn.Linear(4, 16), nn.Linear(4, 8))]
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
        if own[name].ndim != others[name].ndim:
            raise ValueError(
                f"{name!r} has {own[name].ndim} dimensions in the model and {others[name].ndim} in "
                "base. Give a base that differs in width alone."
            )
    return [
        Growth(name, model.get_submodule(name.rpartition(".")[0]), own[name], others[name])
        for name in own
    ]


def differ(found: list[Growth]) -> bool:
    """Return whether any tensor grows, that is whether the two widths differ."""
    return any(any(growth.grows) for growth in found)


def infer_roles(found: list[Growth], told: Mapping[str, str]) -> dict[str, str]:
    """Return parameter name -> role.

    Args:
        found: Every parameter beside that of another width (see `differ`).
        told: Roles that the user gives, which count more.

    Raises:
        UnplacedTensorError: Tensors without a told role that cannot be placed.

    Example:
        >>> from lrtransfer.scaling.infer import growths, infer_roles
        >>> from torch import nn
        >>> infer_roles(growths(nn.Linear(4, 16), nn.Linear(4, 8)), {})
        {'weight': 'input', 'bias': 'bias'}
    """
    roles: dict[str, str] = {}
    unplaced: list[str] = []
    for growth in found:
        role = told.get(growth.name) or _role(growth)
        if role is None:
            unplaced.append(
                f"{growth.name!r} of shape {tuple(growth.tensor.shape)} in a "
                f"{type(growth.owner).__name__} (base: {tuple(growth.base.shape)})"
            )
        else:
            roles[growth.name] = role
    if unplaced:
        raise UnplacedTensorError(
            f"cannot tell the role of {'; '.join(unplaced)}. Give roles={{name: role}} with one "
            "of input, embedding, positional, hidden, output, bias, norm_gain, scalar, "
            "scalar_bias, scalar_gain."
        )
    return roles


def infer_width(found: list[Growth]) -> tuple[int, int]:
    """Return N and N₀: the size that grows most often, and what it is in the base.

    Raises:
        ValueError: Not all growing dimensions have the same ratio N/N₀.

    Example:
        >>> from lrtransfer.scaling.infer import growths, infer_width
        >>> from torch import nn
        >>> infer_width(growths(nn.Linear(4, 16), nn.Linear(4, 8)))
        (16, 8)
    """
    pairs = list(_growing(found))
    (width, base_width), _ = Counter((size, other) for _, size, other in pairs).most_common(1)[0]
    for name, size, other in pairs:
        if size * base_width != other * width:
            raise ValueError(
                f"a dimension of {name!r} grows from {other} to {size}, others from {base_width} "
                f"to {width}: there is no one width. Give width= and base_width=."
            )
    return width, base_width


def _growing(found: list[Growth]) -> Iterator[tuple[str, int, int]]:
    for growth in found:
        for size, other in zip(growth.tensor.shape, growth.base.shape, strict=True):
            if size != other:
                yield growth.name, size, other


def _role(growth: Growth) -> str | None:
    owner, leaf, dims = growth.owner, growth.name.rpartition(".")[2], growth.tensor.ndim
    grows = any(growth.grows)
    if isinstance(owner, _NORMS):
        kind = "bias" if leaf == "bias" else "norm_gain"
        return _sized(kind, grows)
    if isinstance(owner, TABLES):
        return _TABLE_ROLES.get((growth.grows[0], growth.grows[1]))
    if isinstance(owner, MATRIX_OWNERS) and dims == 1:
        return _sized("bias", grows)
    if isinstance(owner, MATRIX_OWNERS) and not leaf.startswith("bias"):
        kernel_grows = any(growth.grows[2:])
        return None if kernel_grows else _MATRIX_ROLES[growth.grows[0], growth.grows[1]]
    return _bare_role(growth)


def _bare_role(growth: Growth) -> str | None:
    """Return the role of a tensor of a module that torch does not know, or None."""
    shape, grows = growth.tensor.shape, growth.grows
    hint = ".".join(growth.name.lower().split(".")[-2:])
    if len(shape) >= 2 and grows[-1] and not any(grows[:-1]):
        if "pos" in hint:
            return "positional"
        if any(word in hint for word in ("token", "cls", "embed")):
            return "embedding"
    if sum(size > 1 for size in shape) <= 1:
        for value, kind in ((1.0, "norm_gain"), (0.0, "bias")):
            if growth.starts_at(value):
                return _sized(kind, any(grows))
    return None


def _sized(kind: str, grows: bool) -> str:
    return kind if grows else {"bias": "scalar_bias", "norm_gain": "scalar_gain"}[kind]
