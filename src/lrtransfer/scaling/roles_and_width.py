"""Roles of all tensors and the width, from a base of another width or as the user tells them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn.parameter import is_lazy

from lrtransfer.scaling.apply import UnknownRoleError
from lrtransfer.scaling.infer import differ, growths, infer_roles, infer_width


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
    base: nn.Module | None,
    delta: nn.Module | None,
    told: Mapping[str, str],
    sizes: tuple[int | None, int | None],
) -> tuple[Mapping[str, str], tuple[int, int]]:
    """Return the role of each tensor, and N and N₀.

    Args:
        model: The network.
        base: The network at width N₀, or None.
        delta: The network at a width other than N₀, which tells the roles in place of `model`.
        told: Parameter name -> role that the user gives.
        sizes: N and N₀ that the user gives, None where not.

    Raises:
        UnplacedTensorError: `base` does not tell the role of a tensor.
        UnknownRoleError: Without `base`, a tensor has no told role.
        ValueError: A size is missing or below 1, or `base` or `delta` does not fit.
    """
    width, base_width = sizes
    for name, size in (("width", width), ("base_width", base_width)):
        if size is not None and size < 1:
            raise ValueError(f"{name} is {size}. Give 1 or more.")
    if base is None:
        if width is None or delta is not None:
            raise ValueError(
                "base is not told. Give base=, an instance of another width, or roles= and width=."
            )
        return _complete(model, told), (width, base_width or 1)
    if (width is None) != (base_width is None):
        raise ValueError("with base, give both width= and base_width=, or none.")
    found = growths(model, base)
    between = found if delta is None else growths(delta, base)
    if not differ(between):
        raise ValueError(
            "nothing tells what grows: base has the width of the model. Give another base, or "
            "delta=, an instance of another width than base."
            if delta is None
            else "delta has the width of base. Give an instance of another width."
        )
    roles = infer_roles(between, told)
    if width is not None and base_width is not None:
        return roles, (width, base_width)
    if differ(found):
        return roles, infer_width(found)
    at_base = infer_width(between)[1]
    return roles, (at_base, at_base)


def _complete(model: nn.Module, told: Mapping[str, str]) -> Mapping[str, str]:
    for name, _ in model.named_parameters(remove_duplicate=False):
        if name not in told:
            raise UnknownRoleError(
                f"tensor {name!r} has no role. Name it in roles=, or give base=, an instance of "
                "another width."
            )
    return told
