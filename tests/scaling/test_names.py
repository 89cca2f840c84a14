"""Patterns of dotted names."""

from __future__ import annotations

import pytest

from lrtransfer.scaling.names import expand, expand_keys, holds

NAMES = ["blocks.0", "blocks.0.attn", "blocks.1", "blocks.10", "head"]


def test_a_star_stands_for_one_part() -> None:
    assert expand("blocks.*", NAMES, "branches") == ["blocks.0", "blocks.1", "blocks.10"]
    assert expand(["*.*.attn"], NAMES, "branches") == ["blocks.0.attn"]


def test_names_come_once_and_in_the_model_s_order() -> None:
    assert expand(["head", "blocks.1*", "blocks.1"], NAMES, "inside") == [
        "blocks.1",
        "blocks.10",
        "head",
    ]


def test_a_pattern_without_a_match_is_named_with_its_argument() -> None:
    with pytest.raises(ValueError, match=r"branches names 'blocks\.2'"):
        expand(["head", "blocks.2"], NAMES, "branches")


def test_values_follow_their_patterns_and_must_not_contradict() -> None:
    assert expand_keys({"blocks.1*": 3, "head": 4}, NAMES, "fans") == {
        "blocks.1": 3,
        "blocks.10": 3,
        "head": 4,
    }
    assert expand_keys({"blocks.1": 3, "blocks.1*": 3}, NAMES, "fans")["blocks.10"] == 3
    with pytest.raises(ValueError, match=r"fans gives 'blocks\.1' both 3 and 4"):
        expand_keys({"blocks.1": 3, "blocks.1*": 4}, NAMES, "fans")


def test_a_module_holds_what_lies_below_its_name() -> None:
    assert holds("blocks.1", "blocks.1.attn")
    assert not holds("blocks.1", "blocks.10.attn")
    assert not holds("blocks.1", "blocks.1")
