"""Reading params.yaml: safely, and refusing what YAML itself would let pass in silence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_DEEPEST = 32  # sections within sections; composing a hundred thousand would end the process
_MOST = 100_000  # values of a file, an alias counting for all that it repeats

# What YAML 1.1 (read here) and YAML 1.2 (read by DVC) take for different things.
_TWO_MEANINGS = {
    r"(?i:yes|no|on|off)": "Write true or false",
    r"[-+]?0[\d_]+|0o[0-7]+": "Write a number without leading zeros",
    r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?": "Write a number without colons",
    r"[-+]?\d+[eE][-+]?\d+|[-+]?(\d+\.\d*|\.\d+)[eE]\d+|[-+]\.\d+": (
        "Write a number with digits, a dot and a sign before the exponent, as in 1.0e-3"
    ),
}


class StudyError(ValueError):
    """A study that cannot be run as written; each line names a field and a remedy."""

    exit_status = 2

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader for which a repeated key is an error; YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key) if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                raise _fault("a key must be plain text, in quotes if need be", key)
            if name in seen:
                raise _fault(f"the key '{name}' stands twice", key)
            seen.add(name)
        result: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return result


def read_yaml(path: Path, *, merging: bool = True, empty: bool = False) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Args:
        path: The file.
        merging: Whether `<<` may take over the fields of another mapping; YAML 1.2 has no such key.
        empty: Whether a file that says nothing is an empty mapping.

    Raises:
        StudyError: The file is missing, not UTF-8, not YAML, repeats a key, holds no mapping or
            something that would exhaust its readers or that they would read differently.
    """
    try:
        if not path.is_file():
            missing = "no plain file" if path.exists() else "no such file"
            raise StudyError([f"{path}: {missing}. Give the path of one that exists."])
        text = path.read_text(encoding="utf-8")
        _check(text, merging)
        content = yaml.load(text, _Loader)  # noqa: S506
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError([f"{path}: cannot be read as text ({error}). Save it as UTF-8."]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        remedy = "" if problem.endswith(".") else ". Correct the YAML at this line."
        raise StudyError([f"{path}{place}: {problem}{remedy}"]) from None
    if content is None and empty:
        return {}
    if not isinstance(content, dict):
        raise StudyError([f"{path}: holds no mapping. Write it as `name: value`, a line for each."])
    return content


def _check(text: str, merging: bool) -> None:
    """Go through a file's tokens, before anything is made of them.

    Raises:
        YAMLError: The file is no YAML, nested too deeply, too long with its aliases written out,
            or holds a scalar with two meanings.
    """
    sizes: dict[str | None, int] = {}
    opened: list[tuple[yaml.NodeEvent, int]] = []  # with the number of values before it
    count = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event, count))
            if len(opened) > _DEEPEST:
                raise _fault(f"more than {_DEEPEST} levels of nesting. Write it flatter.", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            start, before = opened.pop()
            sizes[start.anchor] = count - before
        elif isinstance(event, yaml.AliasEvent):
            if any(start.anchor == event.anchor for start, _ in opened):
                raise _fault(f"*{event.anchor} stands within itself. Write it out.", event)
            count += sizes.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
            if event.value == "<<" and not merging:
                raise _fault("no merge keys. Write the fields out, or use `like`.", event)
            _check_plain(event)
        count += isinstance(event, yaml.NodeEvent)
        if count > _MOST:
            place = opened[-1][0] if opened else event
            raise _fault(f"the file has more than {_MOST:,} values. Shorten what is here.", place)


def _check_plain(event: yaml.ScalarEvent) -> None:
    """Refuse text without quotes that has two meanings or endless digits."""
    if re.fullmatch(r"[-+]?\d{19,}", event.value):
        raise _fault("a number of more than 18 digits. Write a smaller one.", event)
    for pattern, remedy in _TWO_MEANINGS.items():
        if re.fullmatch(pattern, event.value):
            text = (
                f"YAML 1.1 and 1.2 read {event.value!r} differently. {remedy}, or put it in quotes."
            )
            raise _fault(text, event)


def _fault(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
