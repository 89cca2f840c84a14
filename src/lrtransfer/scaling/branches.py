"""Residual branches and the depth, as the user or the layouts tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from lrtransfer.scaling import table
from lrtransfer.scaling.hooks import MultiplyOutput, Planned
from lrtransfer.scaling.layout import Layout, listed
from lrtransfer.scaling.layouts import Known
from lrtransfer.scaling.names import expand, holds
from lrtransfer.scaling.rules import Constants, Shape, scale
from lrtransfer.scaling.table import Rules, module_rule

_GIVE_BRANCHES = (
    "Give layout=lt.Layout(branches=[…]), the names of the modules whose output is added to a "
    "residual stream, or an empty list if there are none."
)


@dataclass(frozen=True)
class Branches:
    """The residual branches of a network.

    Attributes:
        names: The modules whose output is added to the residual stream.
        inside: Further modules and tensors of the branches, a pre-norm for instance.
        depth: L.
        base_depth: L₀.
        exponent: α.
    """

    names: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    depth: int = 1
    base_depth: int = 1
    exponent: float = 0.0

    def multipliers(self, rules: Rules, constants: Constants, *, width: int) -> list[Planned]:
        """Return the multiplier of each branch.

        Raises:
            UnknownRoleError: There are branches, and the rules lack the role.
        """
        if not self.names:
            return []
        shape = Shape(fan_in=width, width=width, depth=self.depth)
        factor = scale(module_rule(rules, "branch", self.names[0]), shape, constants).multiplier
        return [Planned(name, MultiplyOutput(factor, "branch")) for name in self.names]

    def hold(self, name: str) -> bool:
        """Return whether a parameter lies in a branch."""
        return any(holds(m, name) or m == name for m in (*self.names, *self.inside))


def resolve_branches(
    model: nn.Module,
    rules: Rules,
    layout: Layout,
    known: Known,
    *,
    base_depth: int | None,
    exponent: float | None,
) -> Branches:
    """Return the branches and depths, complete for what the rules ask.

    Args:
        model: The network.
        rules: Role -> exponents.
        layout: What the user tells.
        known: What the layouts tell, of which branches count if the user tells none.
        base_depth: L₀.
        exponent: α.

    Raises:
        ValueError: Something that the rules use is not told, or something is told that has no
            effect; the message names it.
    """
    branches = None if layout.branches is None else listed(layout.branches)
    _check_exponent(rules, exponent, branches)
    alpha, depth, inside = exponent or 0.0, layout.depth, layout.inside
    if branches is None and known.branches:
        branches = list(known.branches)
        inside = known.inside if inside is None else inside
    if branches is None:
        _check_untold(rules, alpha, layout, base_depth)
        return Branches(exponent=alpha)
    modules = [name for name, _ in model.named_modules(remove_duplicate=False) if name]
    tensors = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    names = expand(branches, modules, "branches")
    for outer in names:
        for inner in names:
            if holds(outer, inner):
                raise ValueError(
                    f"branches names {inner!r}, which lies in the branch {outer!r}: its multiplier "
                    "would count twice. Name one of the two."
                )
    found = Branches(tuple(names), tuple(expand(listed(inside or []), modules + tensors, "inside")))
    by_place = bool(names) and table.depends(rules.values(), "branch_depth", alpha)
    if inside is None and by_place:
        _check_neighbours(tensors, found)
    # Without branches, the rule of the role branch concerns nothing.
    concerned = [rule for role, rule in rules.items() if names or role != "branch"]
    if not by_place and not table.depends(concerned, "depth", alpha):
        return Branches(found.names, found.inside, exponent=alpha)
    if base_depth is None or (depth is None and not names):
        raise ValueError(
            "the parameterization scales with the depth. Give base_depth=, the number of residual "
            "branches at which the hyperparameters were tuned (and without branches "
            "layout=lt.Layout(depth=L))."
        )
    deep = len(names) if depth is None else depth
    if deep < 1 or base_depth < 1:
        raise ValueError(f"depth is {deep} and base_depth {base_depth}. Give 1 or more.")
    return Branches(found.names, found.inside, deep, base_depth, alpha)


def _check_exponent(rules: Rules, exponent: float | None, branches: list[str] | None) -> None:
    mentioned = table.mentions_branch_exponent(rules.values())
    if exponent is not None and not mentioned:
        raise ValueError(
            f"branch_exponent is {exponent}, but no exponent of the parameterization depends on "
            "it. Leave it out."
        )
    if exponent is None and mentioned and branches:
        raise ValueError(
            "branches are multiplied by (depth/base_depth)^-branch_exponent. Give "
            "branch_exponent= (1/2: Depth-muP, 1: CompleteP, 0: no multiplier)."
        )


def _check_untold(rules: Rules, alpha: float, layout: Layout, base_depth: int | None) -> None:
    told = {"inside": layout.inside, "depth": layout.depth, "base_depth": base_depth}
    for name, value in told.items():
        if value is not None:
            raise ValueError(f"{name} is told, but branches are not. {_GIVE_BRANCHES}")
    multiplier = rules.get("branch", {}).get("multiplier", {})
    if (
        not table.is_one(multiplier, alpha)
        or table.depends(rules.values(), "branch_depth", alpha)
        or table.depends(rules.values(), "depth", alpha)
    ):
        raise ValueError(f"the parameterization scales with the depth. {_GIVE_BRANCHES}")


def _check_neighbours(tensors: Iterable[str], found: Branches) -> None:
    """Raise for tensors beside a branch in one block: a pre-norm lies in it, a post-norm not."""
    blocks = {name.rpartition(".")[0] for name in found.names} - {""}
    beside = [
        name
        for name in tensors
        if not found.hold(name) and any(holds(block, name) for block in blocks)
    ]
    if beside:
        raise ValueError(
            f"{', '.join(map(repr, beside))} lie beside residual branches, and the "
            "parameterization treats tensors of a branch differently. Give "
            "layout=lt.Layout(inside=[…]), the patterns of those that lie in a branch "
            "(pre-norms do), or an empty list."
        )
