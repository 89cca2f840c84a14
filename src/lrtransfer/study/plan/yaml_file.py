"""Reading params.yaml: safely, and refusing what YAML itself would let pass in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class StudyError(ValueError):
    """A study that cannot be run as written; each line names a field and a remedy."""

    exit_status = 2

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


_MERGE = "tag:yaml.org,2002:merge"  # of "<<", which takes over the fields of another mapping


class _UniqueKeyLoader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader for which a repeated key is an error; YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            try:
                repeated = key in seen
                seen.add(key)
            except TypeError:
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be plain text", key_node.start_mark
                ) from None
            if repeated:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands twice", key_node.start_mark
                )
        result: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return result


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        StudyError: The file is missing, not UTF-8, not YAML, repeats a key or holds no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506
    except FileNotFoundError:
        raise StudyError([f"{path}: no such file. Give the path of a params.yaml."]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError([f"{path}: cannot be read as text ({error}). Save it as UTF-8."]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise StudyError([f"{path}{place}: {problem}. Correct the YAML at this line."]) from None
    if not isinstance(content, dict):
        raise StudyError([f"{path}: holds no mapping. Start from the repository's params.yaml."])
    return content
