"""One experiment written out at one scale, with all that it inherits and where each part stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lrtransfer.study.plan.fill import fill
from lrtransfer.study.plan.inherit import BASE, DERIVED, Inheritance, Said, Tree
from lrtransfer.study.plan.messages import unknown
from lrtransfer.study.plan.yaml_file import StudyError

_FIRST = (
    *("question", "paper", "group", "figures", "label", "parameterization", "dataset", "model"),
    *("loss", "optimizer", "schedule", "constants", "lr", "measured_at", "widths", "depths"),
)


def written_out(content: Mapping[str, Any], name: str, scale: str) -> str:
    """Return an experiment as YAML, a value a line, with the origin of what it does not say itself.

    Read as an experiment without parent it is the same one, at the laptop's scale.

    Args:
        content: The short form, valid and with the experiments of included files.
        name: The experiment.
        scale: The scale.

    Raises:
        StudyError: There is no such experiment, or it lacks the scale.
    """
    if name not in content["study"]:
        raise StudyError([unknown("experiment", name, content["study"])])
    inheritance = Inheritance(content)
    if scale not in inheritance.scales(name):
        raise StudyError(
            [f"study.{name}.scales.{scale}: missing. Add it, or choose another scale."]
        )
    at = inheritance.at(name, scale)
    grid = fill(content).content["study"][name]["scales"][scale]
    fields = dict(at.fields)
    if scale == DERIVED and isinstance(spectra := fields.get("spectra"), dict):
        seeds = spectra.get("seeds") or fields["seeds"]
        fields["spectra"] = {**spectra, "seeds": _cut(seeds, grid["spectra"]["seeds"])}
    arms = {}
    for arm, said in at.arms.items():
        arms[arm] = _beyond(at.fields, said)
        if (axis := said["lr"]).rule:
            arms[arm]["lr"] = _cut(axis, grid["learning_rates"][arm])
            fields.pop("lr", None)
    lines = [f"{name}:", *_lines(_in_order(fields), name, "  "), "  arms:"]
    for arm, tree in arms.items():
        lines.append(f"    {arm}:" if tree else f"    {arm}: {{}}")
        lines += _lines(_in_order(tree), name, "      ", arm)
    where = "" if scale == BASE else f", at the scale {scale}"
    head = f"# {name}{where}, with all that it inherits; what has no remark, it says itself."
    return "\n".join([head, *lines])


def _cut(said: Said, value: Any) -> Said:
    return Said(value, said.path, said.rule)


def _in_order(tree: Tree) -> Tree:
    """Return a tree with what names things first."""
    return {key: tree[key] for key in _FIRST if key in tree} | tree


def _beyond(fields: Tree, arm: Tree) -> Tree:
    """Return what an arm says beside, or other than, its experiment."""
    found: Tree = {}
    for key, said in arm.items():
        before = fields.get(key)
        if isinstance(said, dict) and isinstance(before, dict):
            same_part = said.get("name") == before.get("name")
            own = _beyond(before, said) if same_part else said
            name = {"name": said["name"]} if "name" in said else {}
            said = name | own if own else before  # noqa: PLW2901
        switched_off = isinstance(said, Said) and said.value is None
        if said != before and not (switched_off and before is None and key != "measured_at"):
            found[key] = said
    return found


def _lines(tree: Tree, name: str, indent: str, arm: str = "") -> Iterator[str]:
    for key, said in tree.items():
        if isinstance(said, Said):
            if said.value is not None or arm:
                yield _line(f"{indent}{key}: {_yaml(said.value)}", said, name, arm)
        elif "name" in said and key != "group_warmup":
            options = said.get("options", {})
            member = said["name"]
            if not options:
                yield _line(f"{indent}{key}: {member.value}", member, name, arm)
            else:
                yield f"{indent}{key}:"
                yield _line(f"{indent}  {member.value}:", member, name, arm)
                yield from _lines(options, name, f"{indent}    ", arm)
        else:
            yield f"{indent}{key}:"
            yield from _lines(said, name, f"{indent}  ", arm)


def _line(text: str, said: Said, name: str, arm: str) -> str:
    origin = _origin(said, name, arm)
    return f"{text}  # {origin}" if origin else text


def _origin(said: Said, name: str, arm: str) -> str:
    """Say where a value stands, if not where the experiment says what the laptop runs."""
    section, *rest = said.path.split(".")
    parts = [section] if section == "defaults" else []
    if section == "study":
        parent, *rest = rest
        parts += [f"like: {parent}"] if parent != name else []
    if rest[0] == "scales":
        parts.append(f"scales.{rest[1]}")
        rest = rest[2:]
    if rest[0] == "arms" and rest[1] != arm:
        parts.append(f"arms.{rest[1]}")
    origin = f"from {', '.join(parts)}" if parts else ""
    return ", ".join(filter(None, (origin, said.rule and f"cut by {said.rule}")))


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...").strip()
