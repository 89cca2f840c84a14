"""An experiment with what it inherits -> the form of `schema`, with the place of every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lrtransfer.study.plan import axes
from lrtransfer.study.plan.inherit import BASE, AtScale, Inheritance, Said, Tree

_OF_EXPERIMENT = (
    *("question", "paper", "group", "figures", "dataset", "model", "loss", "constants", "one_pass"),
)
_OF_ARM = (
    *("label", "parameterization", "model_options", "optimizer", "schedule", "trained", "decay"),
    *("group_warmup", "horizon", "tuner", "replay"),
)
_OF_GRID = (
    *("widths", "depths", "batches", "durations", "seeds", "precision", "micro_batch"),
    *("compile", "fused", "batched", "measure", "spectra"),
)


@dataclass(frozen=True)
class Filled:
    """A study in the form of `schema.Study`, not yet checked.

    Attributes:
        origins: Path in `content` -> where that stands in params.yaml.
        faults: What inheritance alone shows to be wrong, a line each.
    """

    content: dict[str, Any]
    origins: Mapping[str, str]
    faults: list[str]

    def as_written(self, path: str) -> str:
        """Return where in params.yaml one looks for what stands at `path` of `content`."""
        known = path
        while known and known not in self.origins:
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        return self.origins.get(known, "") + path[len(known) :]


def fill(content: Mapping[str, Any]) -> Filled:
    """Return the study that the short form stands for.

    Args:
        content: What params.yaml holds, in a form that `notation` has found right.
    """
    inheritance = Inheritance(content)
    origins: dict[str, str] = {}
    faults: list[str] = []
    study = {
        name: _Filling(inheritance, name, origins, faults).experiment() for name in content["study"]
    }
    other = {k: v for k, v in content.items() if k not in ("include", "defaults", "study")}
    return Filled({**other, "study": study}, origins, [*inheritance.faults, *dict.fromkeys(faults)])


class _Filling:
    """Fills in one experiment and notes where everything came from."""

    def __init__(
        self, inheritance: Inheritance, name: str, origins: dict[str, str], faults: list[str]
    ) -> None:
        self.path = f"study.{name}"
        self.homes = inheritance.experiments[name].homes
        self.rule = inheritance.rule
        self.scales = {scale: inheritance.at(name, scale) for scale in inheritance.scales(name)}
        self.base = self.scales[BASE]
        self.origins = origins
        self.faults = faults

    def experiment(self) -> dict[str, Any]:
        self.origins[self.path] = self.path
        found = self._part(self.base.fields, _OF_EXPERIMENT, self.path)
        found["arms"] = {name: self._arm(name) for name in self.base.arms}
        # Without arms the experiment is refused anyway, for that alone.
        found["scales"] = {scale: self._grid(scale) for scale in self.scales if found["arms"]}
        return found

    def _arm(self, name: str) -> dict[str, Any]:
        said, path = self.base.arms[name], f"{self.path}.arms.{name}"
        self.origins[path] = self.homes[name]
        # Where one looks for them if nobody says them.
        self.origins |= {f"{path}.{f}": f"{self.path}.{f}" for f in ("optimizer", "schedule")}
        arm = {"label": name.replace("_", " ")} | self._part(said, _OF_ARM, path)
        if _differ(said, self.base.fields, "constants"):
            arm |= self._part(said, ("constants",), path)
        if (decay := _said(said, "weight_decay")) is not None and "optimizer" in arm:
            arm["optimizer"]["options"]["weight_decay"] = decay.value
            self.origins[f"{path}.optimizer.options.weight_decay"] = decay.path
        return arm

    def _grid(self, scale: str) -> dict[str, Any]:
        path, at = f"{self.path}.scales.{scale}", self.scales[scale]
        self.origins[path] = self.path
        grid = self._part(at.fields, _OF_GRID, path)
        for field in ("dataset", "model", "constants"):
            if _differ(at.fields, self.base.fields, field):
                grid |= self._part(at.fields, (field,), path)
        if "constants" in grid:
            self._constants_of_scale_alone(scale)
        if "spectra" in grid:
            grid["spectra"]["seeds"] = self._seeds_of_spectra(at, grid)
        for field in ("steps", "batch_size", "train_samples", "loss_window"):
            grid |= self._by_arm(
                path, field, {a: _number(arm, field) for a, arm in at.arms.items()}
            )
        augmented = {name: _said(arm, "augmentation") for name, arm in at.arms.items()}
        grid |= self._by_arm(path, "augmentation", augmented)
        grid |= self._rates(path, at, measured="measure" in grid)
        decays = {name: _weight_decay(arm) for name, arm in at.arms.items()}
        if decays != {name: _weight_decay(arm) for name, arm in self.base.arms.items()}:
            grid |= self._by_arm(path, "weight_decay", decays)
        return grid

    def _part(self, tree: Tree, fields: tuple[str, ...], path: str) -> dict[str, Any]:
        """Return the plain form of some fields, as far as something is said, and note places."""
        found = {}
        for field in fields:
            said = tree.get(field)
            if isinstance(said, dict) and field == "model":
                said = {"family": said["name"], "options": said["options"]}
            if isinstance(said, dict):
                found[field] = self._part(said, tuple(said), f"{path}.{field}")
            elif said is not None and said.value is not None:
                found[field] = said.value
                self.origins[f"{path}.{field}"] = said.path
        return found

    def _by_arm(self, path: str, field: str, said: dict[str, Said | None]) -> dict[str, Any]:
        """Return one value for all arms where they have the same, otherwise one for each."""
        numbers = {name: one.value for name, one in said.items() if one is not None}
        for name, one in said.items():
            written = one.path if one is not None else f"{self.homes[name]}.{field}"
            self.origins[f"{path}.{field}.{name}"] = written
            if one is not None:
                self.origins.setdefault(f"{path}.{field}", written)
        if len(numbers) == len(said) and len(set(numbers.values())) == 1:
            return {field: next(iter(numbers.values()))}
        return {field: numbers} if numbers else {}

    def _rates(self, path: str, at: AtScale, *, measured: bool) -> dict[str, Any]:
        """Return the axes of the arms and the rates at which they are measured."""
        found: dict[str, dict[str, Any]] = {"learning_rates": {}, "reference_learning_rate": {}}
        for name, arm in at.arms.items():
            said = _said(arm, "lr")
            place = f"{path}.learning_rates.{name}"
            self.origins[place] = said.path if said else f"{self.homes[name]}.lr"
            axis = [axes.rate(rate) for rate in axes.rates(said.value)] if said else []
            reference = axis[0] if len(axis) == 1 else None
            if "measured_at" in arm:
                reference = axes.rate(arm["measured_at"].value)
            if said and said.rule:
                axis = _around(axis, reference, self.rule["rates"].value)
            if axis:
                found["learning_rates"][name] = axis
            if reference is not None and measured:
                found["reference_learning_rate"][name] = reference
        return found

    def _seeds_of_spectra(self, at: AtScale, grid: dict[str, Any]) -> list[int]:
        """Return the seeds that have spectra: all of them if nothing is said."""
        kept: list[int] = grid.get("seeds", [])
        said = _said(at.fields["spectra"], "seeds")
        if said is None or not said.rule:
            return said.value if said else kept
        found = [seed for seed in said.value if seed in kept]
        if not found:
            self.faults.append(
                f"{said.path}: none is left at the scale derived by {said.rule}. Add one of "
                f"{', '.join(map(str, kept))}, or give scales.smoke seeds of its own."
            )
        return found

    def _constants_of_scale_alone(self, scale: str) -> None:
        """Refuse constants of a scale where an arm has its own: they would not reach the arm."""
        for name, arm in self.base.arms.items():
            if _differ(arm, self.base.fields, "constants"):
                self.faults.append(
                    f"{self.path}.scales.{scale}.constants: arm {name!r} has constants of its own. "
                    "Give them in one of the two places."
                )


def _said(tree: Tree, field: str) -> Said | None:
    """Return what is said of a field, if anything but null."""
    said = tree.get(field)
    return said if isinstance(said, Said) and said.value is not None else None


def _plain(said: Any) -> Any:
    if isinstance(said, dict):
        return {key: _plain(inner) for key, inner in said.items()}
    return said.value if said is not None else None


def _differ(one: Tree, other: Tree, field: str) -> bool:
    return bool(_plain(one.get(field)) != _plain(other.get(field)))


def _number(arm: Tree, field: str) -> Said | None:
    """Return a number of an arm; of a loss window that is a share of the run, its length."""
    said, steps = _said(arm, field), _said(arm, "steps")
    if said is None or not isinstance(said.value, str):
        return said
    return replace(said, value=axes.share(said.value, steps.value if steps else 1))


def _weight_decay(arm: Tree) -> Said | None:
    optimizer = arm.get("optimizer")
    options = optimizer["options"] if isinstance(optimizer, dict) else {}
    return _said(arm, "weight_decay") or _said(options, "weight_decay")


def _around(axis: list[float], centre: float | None, count: int) -> list[float]:
    """Return `count` neighbours on an axis: around `centre`, or from its middle."""
    place = axis.index(centre) if centre in axis else len(axis) // 2
    start = max(0, min(place - count // 2, len(axis) - count))
    return axis[start : start + count]
