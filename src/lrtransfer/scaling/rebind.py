"""Bind a plan made by name to the parameters that a model holds now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

Group = dict[str, Any]

FOLDED = (
    "the optimizer was built before lrtransfer.fold: its tensors are no longer the model's, and "
    "its rates are those of the form with multipliers. Fold after training, or build another "
    "optimizer of the folded model's parameters."
)

# What torch puts into names: compile, activation checkpointing, the first FSDP.
_WRAPPERS = frozenset({"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"})


class StaleOptimizerError(ValueError):
    """An optimizer whose tensors are not those that the model trains."""


class FoldedParameter(nn.Parameter):
    """A tensor that the model has no longer: an optimizer that holds it stops at its next step."""

    @property
    def grad(self) -> NoReturn:  # type: ignore[override]
        """Raise, since only an optimizer from before asks for it.

        Raises:
            StaleOptimizerError: Always.
        """
        raise StaleOptimizerError(FOLDED)


def rebind(groups: Iterable[Mapping[str, Any]], model: nn.Module) -> list[Group]:
    """Return the groups with the tensors that `model` holds under their names now.

    `fully_shard` (FSDP2) replaces every parameter, and an optimizer of the old ones steps without
    effect and without a word. So parameterize first, wrap, rebind, and build the optimizer last:

        groups = lt.parameterize(model, "mup", base=base, optimizer="adamw", lr=1e-3)
        fully_shard(model)
        optimizer = torch.optim.AdamW(lt.rebind(groups, model))

    Parts that wrappers put into a name do not count: `module.` of DistributedDataParallel,
    `_orig_mod.` of `torch.compile`, those of activation checkpointing and of the first FSDP.

    Args:
        groups: What `lrtransfer.parameterize` returned, or groups of `named_parameters()`; they
            stay as they are.
        model: The model after wrapping.

    Returns:
        Groups of equal numbers and names. One is split where its tensors are sharded over
        different meshes or some are not sharded, which torch's foreach and fused steps refuse.

    Raises:
        StaleOptimizerError: The model was folded since.
        ValueError: The model lacks a name, has one twice or with another shape, or trains a tensor
            that no group has, such as one whose tie wrapping undid; the message names it.

    Example:
        >>> import torch
        >>> import lrtransfer as lt
        >>> model = torch.nn.Linear(2, 1)
        >>> groups = [{"params": [], "names": ["weight"]}, {"params": [], "names": ["bias"]}]
        >>> wrapped = torch.nn.Sequential()
        >>> wrapped.module = torch.nn.Linear(2, 1)
        >>> lt.rebind(groups, wrapped)[0]["params"][0] is wrapped.module.weight
        True
    """
    plan = [dict(group) for group in groups]
    if any(type(tensor) is FoldedParameter for group in plan for tensor in group["params"]):
        raise StaleOptimizerError(FOLDED)
    planned = [name for group in plan for name in names(group)]
    held = _held(model, frozenset(planned))
    _check_missing(planned, held)
    bound: list[Group] = []
    for group in plan:
        _check_shapes(group, held)
        bound.extend(_split(group, held))
    _check_left({name: held[name] for name in planned}, held)
    return bound


def names(group: Mapping[str, Any]) -> list[str]:
    """Return the names of a group's tensors.

    Raises:
        ValueError: It has none.

    Example:
        >>> from lrtransfer.scaling.rebind import names
        >>> names({"params": [], "names": ["weight"]})
        ['weight']
    """
    found = group.get("names", group.get("param_names"))
    if found is None:
        raise ValueError(
            "a group has no names. Give the groups of lrtransfer.parameterize, or an optimizer's "
            "that was built of named_parameters()."
        )
    return list(found)


def listed(found: Sequence[str]) -> str:
    """Return a few names and how many more there are.

    Example:
        >>> from lrtransfer.scaling.rebind import listed
        >>> listed(["a", "b", "c", "d"])
        'a, b, c and 1 more'
    """
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more


def _held(model: nn.Module, planned: frozenset[str]) -> dict[str, nn.Parameter]:
    held: dict[str, nn.Parameter] = {}
    for full, parameter in model.named_parameters(remove_duplicate=False):
        name = ".".join(part for part in full.split(".") if part not in _WRAPPERS)
        while name not in planned and name.startswith("module."):
            name = name.removeprefix("module.")
        if held.setdefault(name, parameter) is not parameter:
            raise ValueError(
                f"the model has two tensors for {name!r}, one of them {full!r}. Give the module "
                "that was parameterized, wrapped but not inside another one."
            )
    return held


def _check_missing(planned: Sequence[str], held: Mapping[str, nn.Parameter]) -> None:
    missing = [name for name in planned if name not in held]
    if missing:
        near = get_close_matches(missing[0], [name for name in held if name not in planned])
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise ValueError(
            f"the model has no parameter {listed(missing)}{hint}. Give the module that was "
            "parameterized, after wrapping."
        )


def _check_shapes(group: Group, held: Mapping[str, nn.Parameter]) -> None:
    # A DTensor's shape is the global one.
    for name, before in zip(names(group), group["params"], strict=bool(group["params"])):
        if held[name].shape != before.shape:
            raise ValueError(
                f"{name} had the shape {tuple(before.shape)} and has {tuple(held[name].shape)}. "
                "Rates are of whole tensors: shard with fully_shard, which keeps global shapes."
            )


def _split(group: Group, held: Mapping[str, nn.Parameter]) -> list[Group]:
    key = "names" if "names" in group else "param_names"
    by_mesh: dict[Any, list[str]] = {}
    for name in names(group):
        by_mesh.setdefault(getattr(held[name], "device_mesh", None), []).append(name)
    return [
        group | {"params": [held[name] for name in part], key: part} for part in by_mesh.values()
    ]


def _check_left(bound: Mapping[str, nn.Parameter], held: Mapping[str, nn.Parameter]) -> None:
    known = {id(parameter) for parameter in bound.values()}
    for name, parameter in held.items():
        if parameter.requires_grad and id(parameter) not in known:
            twin = next((other for other, p in bound.items() if _equal(p, parameter)), None)
            raise ValueError(
                f"{name} is trained, and no group has it. "
                + (
                    f"It equals {twin}: wrapping undid their tie. Wrap both in one fully_shard."
                    if twin
                    else "It came after lrtransfer.parameterize, or was tied until wrapping."
                )
            )


def _equal(left: Tensor, right: Tensor) -> bool:
    # This process's shards tell enough for a message.
    if left.shape != right.shape or left.ndim < 2 or left.is_meta or right.is_meta:
        return False
    left, right = (getattr(t, "to_local", lambda t=t: t)() for t in (left, right))
    return left.shape == right.shape and torch.equal(left.detach(), right.detach())
