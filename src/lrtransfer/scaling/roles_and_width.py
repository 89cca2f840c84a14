"""Roles of all tensors and the width, from a base of another width or as the user tells them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn.parameter import is_lazy

from lrtransfer.scaling.apply import UnknownRoleError
from lrtransfer.scaling.infer import check_width, differ, growths, infer_roles, infer_width
from lrtransfer.scaling.layouts import TensorLayout

Base = nn.Module | tuple[nn.Module, nn.Module]


def check_tensors(model: nn.Module) -> None:
    """Check that every parameter can be drawn.

    Raises:
        ValueError: One has no shape yet, no memory, or no real entries; the message names it.
    """
    for name, parameter in model.named_parameters():
        if is_lazy(parameter):
            raise ValueError(
                f"{name!r} has no shape yet. Run one batch through the lazy module first."
            )
        if parameter.is_meta:
            raise ValueError(
                f"{name!r} is on the meta device. Give the model memory with "
                "model.to_empty(device=...) first; only base may stay there."
            )
        if not parameter.is_floating_point():
            raise ValueError(f"{name!r} is {parameter.dtype}. Only real parameters have a scale.")


def roles_and_width(
    model: nn.Module,
    base: Base | None,
    told: Mapping[str, str],
    sizes: tuple[int, int] | None,
    said: Mapping[str, TensorLayout],
) -> tuple[Mapping[str, tuple[str, ...]], tuple[int, int]]:
    """Return the role of each tensor, and N and N₀.

    Args:
        model: The network.
        base: The network at width N₀; a pair of it and one of another width, which then tells the
            roles in place of `model`; or None.
        told: Parameter name -> role that the user gives.
        sizes: N and N₀ that the user gives, or None.
        said: Parameter name -> what the layouts say of it.

    Returns:
        One role for each tensor. Where `base` has the width of `model`, N/N₀ is 1, nothing tells
        what grows, and all roles that a tensor could have are returned.

    Raises:
        UnplacedTensorError: `base` does not tell the role of a tensor.
        UnknownRoleError: Without `base`, a tensor has no told role.
        ValueError: A size is missing or below 1, or `base` does not fit.
    """
    if sizes is not None and min(sizes) < 1:
        raise ValueError(f"width is {sizes}. Give (N, N₀), both 1 or more.")
    if base is None:
        if sizes is None:
            raise ValueError(
                "base is not told. Give base=, an instance of another width, or "
                "layout=lt.Layout(roles={…}, width=(N, N₀))."
            )
        return _complete(model, told), sizes
    narrow, other = base if isinstance(base, tuple) else (base, model)
    if not (isinstance(narrow, nn.Module) and isinstance(other, nn.Module)):
        wrong = other if isinstance(narrow, nn.Module) else narrow
        raise ValueError(
            f"base is a {type(wrong).__name__}. Give a module, an instance of another width, or a "
            "tuple of two."
        )
    found = growths(model, narrow, said)
    between = growths(other, narrow, said)
    if isinstance(base, tuple) and not differ(between):
        raise ValueError("both of base have one width. Give two of different widths, or one alone.")
    check_width(between)
    roles = infer_roles(between, told)
    if sizes is None:
        sizes = infer_width(found) if differ(found) else (1, 1)
    return roles, sizes


def _complete(model: nn.Module, told: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    for name, _ in model.named_parameters(remove_duplicate=False):
        if name not in told:
            raise UnknownRoleError(
                f"tensor {name!r} has no role. Name it in layout=lt.Layout(roles={{…}}), or give "
                "base=, an instance of another width."
            )
    return {name: (role,) for name, role in told.items()}
