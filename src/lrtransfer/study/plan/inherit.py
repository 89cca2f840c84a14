"""The short form of params.yaml -> the study with everything filled in, and where each part stands.

Whose word counts, from the weakest: `defaults`, the experiment that one is `like`, the experiment,
the experiment at a scale, the arm that one is `like`, the arm, the arm at a scale. A mapping merges
with the one it meets, another member of a kind (model, optimizer, …) replaces it, and so do lists
and numbers; null switches off, at every scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod
from typing import Any

from lrtransfer.study.plan import axes
from lrtransfer.study.plan.messages import closest, unknown

BASE = "laptop"  # the scale that an experiment itself describes
DERIVED = "smoke"
_MEMBERS = ("model", "optimizer", "schedule", "tuner", "replay")
_OWN = (("question",), ("paper",), ("group",))  # what one experiment does not take from another
_FEWEST_STEPS = 8

Tree = dict[str, Any]
"""Field -> a `Said`, or the tree of a mapping. A member is the tree of its name and options."""


@dataclass(frozen=True)
class Said:
    """A value and where in params.yaml it stands.

    Attributes:
        rule: Where the rule stands that changed the value, if one did.
    """

    value: Any
    path: str
    rule: str = ""


@dataclass(frozen=True)
class AtScale:
    """An experiment at one scale: what it says of all arms, and each arm with that filled in."""

    fields: Tree
    arms: dict[str, Tree]


@dataclass(frozen=True)
class Inherited:
    """An experiment with what it inherits, before it is brought to a scale.

    Attributes:
        fields: What it says of all arms.
        arms: What each arm says, those included that are not shown but that others may be like.
        shown: The arms that the experiment compares, in order.
        scales: What differs at each scale, of which the experiment has those in `named`.
        homes: Arm -> where it stands in the file.
    """

    path: str
    fields: Tree = field(default_factory=dict)
    arms: dict[str, Tree] = field(default_factory=dict)
    shown: tuple[str, ...] = ()
    scales: dict[str, Tree] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    homes: dict[str, str] = field(default_factory=dict)


class Inheritance:
    """Who inherits what in one params.yaml.

    Args:
        content: What params.yaml holds, in a form that `notation` has found right.

    Attributes:
        faults: One line for each word that has nothing to refer to.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        defaults = _tree(content.get("defaults") or {}, "defaults")
        scales = defaults.pop("scales", {})
        self.rule: Tree = scales.pop(DERIVED, {})
        derived = frozenset({DERIVED} if self.rule else ())
        self._defaults = Inherited("defaults", defaults, scales=scales, named=derived)
        self._written = {n: _tree(e, f"study.{n}") for n, e in content["study"].items()}
        self._faults: dict[str, None] = {}
        self.experiments: dict[str, Inherited] = {}
        for name in self._written:
            self._inherit(name, ())

    @property
    def faults(self) -> list[str]:
        """The faults found so far, each once."""
        return list(self._faults)

    def scales(self, name: str) -> list[str]:
        """Return the scales that an experiment has."""
        return sorted({BASE, *self.experiments[name].named})

    def at(self, name: str, scale: str) -> AtScale:
        """Return an experiment at one of its scales."""
        whole = self.experiments[name]
        fields, arms = whole.fields, whole.arms
        if scale == DERIVED and self.rule:
            fields = _smaller(fields, self.rule)
            arms = {arm: _smaller(said, self.rule) for arm, said in arms.items()}
        differing = self._differing(whole, scale) if scale != BASE else {}
        of_arms = differing.pop("arms", {})
        fields = self._merge(fields, differing, check=True)
        filled: dict[str, Tree] = {}

        def fill(arm: str, heirs: tuple[str, ...]) -> Tree:
            if arm not in filled:
                own = dict(arms[arm])
                parent = own.pop("like", None)
                under = dict(fields)
                if parent is not None and self._is_arm(parent, arm, heirs, arms):
                    under = dict(fill(parent.value, (*heirs, arm)))
                    under.pop("label", None)
                own = self._merge(under, own, check=True)
                filled[arm] = self._merge(own, of_arms.get(arm, {}), check=True)
            return filled[arm]

        return AtScale(fields, {arm: fill(arm, ()) for arm in whole.shown})

    def _differing(self, whole: Inherited, scale: str, heirs: tuple[str, ...] = ()) -> Tree:
        """Return what differs at a scale, with what it takes from the scale that it is like."""
        own = dict(whole.scales.get(scale, {}))
        like: Said | None = own.pop("like", None)
        if like is None:
            return own
        if like.value in (*heirs, scale):
            self._circle(like.path, (*heirs, scale, like.value))
            return own
        return self._merge(self._differing(whole, like.value, (*heirs, scale)), own)

    def _inherit(self, name: str, heirs: tuple[str, ...]) -> Inherited:
        """Return an experiment with what it inherits; `heirs` wait for it."""
        if name in self.experiments:
            return self.experiments[name]
        written = dict(self._written[name])
        like: Said | None = written.pop("like", None)
        parent = self._defaults
        if like is not None:
            circle = (*heirs, name, like.value)
            if like.value not in self._written:
                self._fault(like.path, unknown("experiment", like.value, self._written))
            elif like.value in circle[:-1]:
                self._circle(like.path, circle)
            else:
                parent = self._inherit(like.value, (*heirs, name))
        self.experiments[name] = self._child(f"study.{name}", written, parent, like)
        return self.experiments[name]

    def _child(self, path: str, written: Tree, parent: Inherited, like: Said | None) -> Inherited:
        only: Said | None = written.pop("only", None)
        arms: dict[str, Tree] = written.pop("arms", {})
        told: dict[str, Tree | None] = written.pop("scales", {})
        scales = {scale: tree for scale, tree in told.items() if tree is not None}
        shown = self._shown(only, parent, arms, like)
        inherited = [arm for arm in shown if arm in parent.shown]
        for arm, said in arms.items() if parent is not self._defaults else ():
            alone = said.get("lr")
            if arm not in inherited and alone and alone.path == f"{path}.arms.{arm}":
                self._fault(
                    alone.path,
                    f"an axis for an arm that is not inherited. {closest(arm, inherited)} A new "
                    "arm is a mapping.",
                )
        off = [*_switched_off(written), *_switched_off({"arms": arms})]
        found = Inherited(
            path=path,
            fields=self._merge(_without(parent.fields, _OWN), written, check=True),
            arms=self._merge(parent.arms, arms),
            shown=(*shown, *(arm for arm in arms if arm not in shown)),
            scales=self._merge({s: _without(t, off) for s, t in parent.scales.items()}, scales),
            named=(parent.named | set(scales)) - (set(told) - set(scales)),
            homes={arm: f"{path}.arms.{arm}" for arm in arms} | parent.homes,
        )
        for scale, tree in scales.items():
            for arm in tree.get("arms", {}):
                if arm not in found.shown:
                    self._fault(
                        f"{path}.scales.{scale}.arms.{arm}",
                        f"no arm has this name. {closest(arm, found.shown)}",
                    )
        return found

    def _shown(
        self, only: Said | None, parent: Inherited, arms: Tree, like: Said | None
    ) -> tuple[str, ...]:
        """Return the arms that `only` picks, or else all that are inherited."""
        if only is None:
            return parent.shown
        if like is None:
            self._fault(only.path, "picks from inherited arms. Name an experiment in `like`.")
            return ()
        known = [*parent.shown, *arms]
        for arm in only.value:
            if arm not in known and parent is not self._defaults:
                self._fault(only.path, f"{like.value} has no arm {arm!r}. {closest(arm, known)}")
        return tuple(arm for arm in only.value if arm in known)

    def _is_arm(
        self, like: Said, arm: str, heirs: tuple[str, ...], arms: Mapping[str, Tree]
    ) -> bool:
        if like.value not in arms:
            self._fault(like.path, unknown("arm", like.value, arms))
        elif like.value in (*heirs, arm):
            self._circle(like.path, (*heirs, arm, like.value))
        else:
            return True
        return False

    def _merge(self, under: Tree, over: Tree, *, check: bool = False) -> Tree:
        """Return `over` laid upon `under`; with `check` a null needs something to switch off."""
        merged = dict(under)
        for key, new in over.items():
            old = under.get(key)
            if isinstance(new, dict):
                kept = old if isinstance(old, dict) and _same_part(old, new) else {}
                merged[key] = self._merge(kept, new, check=check)
                continue
            if check and new.value is None and old is None and key != "measured_at":
                self._fault(new.path, "there is nothing to switch off. Remove it.")
            merged[key] = new
        return merged

    def _circle(self, path: str, members: tuple[str, ...]) -> None:
        names = members[members.index(members[-1]) :]
        self._fault(path, f"{' like '.join(names)} is a circle. Let one of them stand alone.")

    def _fault(self, path: str, text: str) -> None:
        self._faults[f"{path}: {text}"] = None


def _tree(content: Mapping[str, Any], path: str) -> Tree:
    """Return what a section says, field by field, with the place of each value."""
    found: Tree = {}
    for key, value in content.items():
        place = f"{path}.{key}"
        if key in _MEMBERS and value is not None:
            found[key] = _member(value, place)
        elif key in ("arms", "scales") and isinstance(value, Mapping):
            found[key] = {name: _named(inner, f"{place}.{name}") for name, inner in value.items()}
            if key == "scales":
                found[key] |= {name: None for name, inner in value.items() if inner is None}
        else:
            found[key] = _tree(value, place) if isinstance(value, Mapping) else Said(value, place)
    return found


def _named(content: Any, path: str) -> Tree:
    """Return the tree of a scale, or of an arm, which may be its axis alone."""
    return _tree(content, path) if isinstance(content, Mapping) else {"lr": Said(content, path)}


def _member(value: str | Mapping[str, Any], path: str) -> Tree:
    ((name, options),) = value.items() if isinstance(value, Mapping) else ((value, {}),)
    inner = {key: Said(option, f"{path}.{name}.{key}") for key, option in options.items()}
    return {"name": Said(name, path), "options": inner}


def _same_part(old: Tree, new: Tree) -> bool:
    return "name" not in new or "name" not in old or old["name"].value == new["name"].value


def _switched_off(tree: Tree, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, said in tree.items():
        if isinstance(said, dict):
            yield from _switched_off(said, (*place, key))
        elif said.value is None:
            yield (*place, key)


def _without(tree: Tree, places: Iterable[tuple[str, ...]]) -> Tree:
    """Return a tree without what stands at `places`."""
    left = dict(tree)
    for first, *rest in places:
        if not rest:
            left.pop(first, None)
        elif isinstance(left.get(first), dict):
            left[first] = _without(left[first], [tuple(rest)])
    return left


def _smaller(tree: Tree, rule: Tree) -> Tree:
    """Return what a section says at the scale that the rule derives.

    What depends on more than one field is only marked with the rule: which rates of an arm are
    kept, and which seeds have spectra.
    """
    kept = {name: said.value for name, said in rule.items()}

    def first(name: str) -> Callable[[list[int]], list[int]]:
        return lambda values: values[: kept[name]]

    def steps(count: int) -> int:
        return max(axes.share(kept["steps"], count), min(count, _FEWEST_STEPS))

    def few(counts: int | list[int]) -> int | list[int]:
        return sorted(set(map(steps, counts))) if isinstance(counts, list) else steps(counts)

    def part(name: str) -> Callable[[int | str], int | str]:
        return lambda of: of if isinstance(of, str) else axes.share(kept[name], of)

    def samples(*shares: str) -> Callable[[list[int]], list[int]]:
        """Return the smallest sizes of an axis of samples, each as small as its shares make it."""
        by = prod(Fraction(kept[name]) for name in shares)
        return lambda counts: [max(1, round(by * count)) for count in first("sizes")(counts)]

    changes: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "widths": ("sizes", first("sizes")),
        "depths": ("sizes", first("sizes")),
        "batches": ("batch_size", samples("batch_size")),
        "durations": ("steps", samples("steps", "batch_size")),
        "seeds": ("seeds", first("seeds")),
        "lr": ("rates", lambda axis: axis),
        "steps": ("steps", few),
        "loss_window": ("steps", part("steps")),
        "batch_size": ("batch_size", part("batch_size")),
        "train_samples": ("batch_size", part("batch_size")),
        "samples": ("samples", part("samples")),
        "points": ("points", lambda points: min(points, kept["points"])),
    }
    found = dict(tree)
    for key, said in tree.items():
        if isinstance(said, dict):
            found[key] = _smaller(said, rule) if key in ("measure", "spectra") else said
        elif key in changes and said.value is not None:
            by, change = changes[key]
            if key == "lr" or change(said.value) != said.value:
                found[key] = replace(said, value=change(said.value), rule=rule[by].path)
    if isinstance(spectra := tree.get("spectra"), dict) and "seeds" in spectra:
        found["spectra"]["seeds"] = replace(spectra["seeds"], rule=rule["seeds"].path)
    return found
