"""One optimizer for groups of several kinds: each is stepped by its own class."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from lrtransfer.optim.check_optimizer import check_optimizer
from lrtransfer.optim.hyperball import Hyperball
from lrtransfer.optim.orthogonalised import Muon
from lrtransfer.optim.pytorch_optimizer import of_package

Group = dict[str, Any]

# The name in pytorch-optimizer, and options that ours implies: decoupled decay, and no axis that is
# left out for its length, which would change the rule as a network grows.
_OF_PACKAGE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "lion": ("Lion", {}),
    "adopt": ("ADOPT", {"weight_decouple": True}),
    "shampoo": ("Shampoo", {"weight_decouple": True}),
    "soap": ("SOAP", {"max_precondition_dim": 2**31, "weight_decay": 0.0}),
}
_OWN: Mapping[str, tuple[type[torch.optim.Optimizer], Mapping[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "muon": (Muon, {}),
    "muonh": (Muon, {"hyperball": True}),
    "adamh": (torch.optim.Adam, {"hyperball": True}),
}
# What a group's `optimizer` may say.
KINDS = (*_OWN, *_OF_PACKAGE)


def make_optimizer(
    groups: Iterable[Mapping[str, Any]], *, model: nn.Module | None = None, **options: Any
) -> torch.optim.Optimizer:
    """Return one optimizer that steps each group by the class that its `optimizer` names.

    Where all name one class of torch it is that; else a `GroupedOptimizer`. Either is checked at
    its first step, see `lrtransfer.check_optimizer`.

    Args:
        groups: What `lrtransfer.parameterize` or `lrtransfer.rebind` returned; they stay as they
            are.
        model: What it should move, to be checked too.
        options: Further arguments, such as `betas`, `momentum`, `fused`, for every class that
            takes them; what a group says itself comes first.

    Raises:
        ValueError: There is no group, one names no optimizer or an unknown one, no class takes an
            option, or every group says it itself.
        StaleOptimizerError: The groups hold a tensor that the model does not.

    Example:
        >>> import torch
        >>> import lrtransfer as lt
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = lt.make_optimizer([{"params": [w], "lr": 0.1, "optimizer": "adamw"}], eps=1e-6)
        >>> type(opt).__name__, opt.param_groups[0]["eps"]
        ('AdamW', 1e-06)
    """
    given = list(groups)
    optimizer = build(given, **options)
    idle = [name for name in options if all(name in group for group in given)]
    if idle:
        raise ValueError(
            f"option {idle[0]!r} is said by every group. Give it to lrtransfer.parameterize, or "
            "change the groups."
        )
    check_optimizer(optimizer, model)
    return optimizer


def build(groups: Iterable[Mapping[str, Any]], **options: Any) -> torch.optim.Optimizer:
    """Return what `make_optimizer` returns, unchecked.

    Raises:
        ValueError: There is no group, one has no rate, names no optimizer or an unknown one, no
            class takes an option, or not all of them `maximize`.
    """
    rate = {"lr": options["lr"]} if "lr" in options else {}
    own = [rate | _checked(group) for group in groups]
    if not own:
        raise ValueError("there are no groups. Give those of lrtransfer.parameterize.")
    if not all("lr" in group for group in own):
        raise ValueError("a group has no lr. Give it there, or as lr= for all that have none.")
    kinds = list(dict.fromkeys(_kind(group) for group in own))
    made = {kind: _maker(kind, options) for kind in kinds}
    unknown = [name for name in options if not any(name in taken for _, taken in made.values())]
    if unknown:
        raise ValueError(f"option {unknown[0]!r} is taken by none of {', '.join(kinds)}.")
    descending = [kind for kind, (_, taken) in made.items() if "maximize" not in taken]
    if options.get("maximize") and descending:
        raise ValueError(
            f"maximize is not taken by {', '.join(descending)}, which would descend while the "
            "others ascend. Give the loss the other sign."
        )
    makers = {kind: make for kind, (make, _) in made.items()}
    single = makers[kinds[0]] if len(kinds) == 1 and kinds[0] in _OWN else None
    return single(own) if single else GroupedOptimizer(own, makers)


class GroupedOptimizer(torch.optim.Optimizer):
    """Steps each group by the optimizer that its `optimizer` names.

    Groups and state are those of the parts, so schedulers, `zero_grad`, `GradScaler`,
    checkpoints and copies do as with any optimizer of torch.

    Attributes:
        parts: Kind -> its optimizer.

    Args:
        groups: Each with its `optimizer`.
        makers: Kind -> groups to an optimizer.
    """

    def __init__(
        self, groups: list[Group], makers: Mapping[str, Callable[[list[Group]], Any]]
    ) -> None:
        self.parts: dict[str, torch.optim.Optimizer] = {}
        self._makers = makers
        # Some schedules ask the defaults for a rate.
        super().__init__(groups, {"lr": max(float(group["lr"]) for group in groups)})
        for kind in dict.fromkeys(_kind(group) for group in self.param_groups):
            # Optimizers keep the dicts that they are given: a part's groups are ours.
            self.parts[kind] = makers[kind](self._of(kind))
        self._share()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Step every part, after the closure if there is one, and return its loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts.values():
            part.step()
        return loss

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of a kind that is there already."""
        kind = _kind(param_group)
        if self.parts and kind not in self.parts:
            raise ValueError(
                f"a group's optimizer is {kind!r}. Add one of {', '.join(self.parts)}, or make the "
                "optimizer anew."
            )
        super().add_param_group(param_group)
        if self.parts:
            try:
                self.parts[kind].add_param_group(param_group)
            except BaseException:
                self.param_groups.pop()
                raise

    def __getstate__(self) -> dict[str, Any]:
        # Those of the package have attributes that torch does not copy: they are made anew.
        parts = {kind: part for kind, part in self.parts.items() if kind in _OWN}
        return {**super().__getstate__(), "_makers": self._makers, "parts": parts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for kind in dict.fromkeys(_kind(group) for group in self.param_groups):
            if kind not in self.parts:
                self.parts[kind] = self._makers[kind](self._of(kind))
        self._share()

    def _share(self) -> None:
        """Be one with the parts in groups and state, also after loading."""
        for kind, part in self.parts.items():
            part.__setstate__({"state": self.state, "param_groups": self._of(kind)})

    def _of(self, kind: str) -> list[Group]:
        return [group for group in self.param_groups if _kind(group) == kind]


class _Maker:
    """Groups -> an optimizer of one class; picklable."""

    def __init__(self, made: type[torch.optim.Optimizer], options: Mapping[str, Any]) -> None:
        self.made, self.options = made, options

    def __call__(self, groups: list[Group]) -> torch.optim.Optimizer:
        options = dict(self.options)
        wrapped = options.pop("hyperball", False)
        made = self.made(groups, **options)
        return Hyperball(made) if wrapped else made


def _checked(group: Mapping[str, Any]) -> Group:
    if not isinstance(group, Mapping):
        raise ValueError(
            f"a group is a {type(group).__name__}. Give the groups of lrtransfer.parameterize."
        )
    kind = _kind(group)
    if kind == "muon" and "relative_rate" in group and "factor" not in group:
        raise ValueError(
            "a group's rates were planned for another optimizer, and Muon's factor would multiply "
            "them. Give lrtransfer.parameterize optimizer='muon'."
        )
    if kind in ("shampoo", "soap"):
        several = group.get("form", {}).keys() & {"stacked", "parts"}
        if wrong := [p for p in group["params"] if several or p.ndim != 2]:
            raise ValueError(
                f"{kind} steps plain matrices, not a tensor of shape {tuple(wrong[0].shape)} that "
                "holds several or a kernel: no source tells its rule. Use muon, or separate maps."
            )
    return dict(group) | ({"decoupled_weight_decay": True} if kind in _OF_PACKAGE else {})


def _kind(group: Mapping[str, Any]) -> str:
    kind = group.get("optimizer")
    if kind not in KINDS:
        said = "names no optimizer" if kind is None else f"names the optimizer {kind!r}"
        raise ValueError(f"a group {said}. Give each group one of {', '.join(KINDS)}.")
    return str(kind)


def _maker(kind: str, options: Mapping[str, Any]) -> tuple[_Maker, frozenset[str]]:
    if kind in _OWN:
        made, implied = _OWN[kind]
    else:
        name, implied = _OF_PACKAGE[kind]
        made = of_package(name)
    taken = frozenset(inspect.signature(made).parameters)
    own = {name: value for name, value in options.items() if name in taken}
    return _Maker(made, {**implied, **own}), taken
