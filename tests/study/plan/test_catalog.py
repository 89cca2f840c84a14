"""What the rooms offer, read from their source."""

from __future__ import annotations

import pytest

from lrtransfer.study.plan import catalog


def test_members_are_the_files_with_the_room_s_marker() -> None:
    assert {"gpt", "residual_mlp", "resnet", "vit"} <= set(catalog.names("models"))
    assert {"norms", "ntk", "sharpness", "subset_loss"} <= set(catalog.names("probes"))
    assert not {"__init__", "memory"} & set(catalog.names("probes"))
    assert "roles" not in catalog.names("models")


def test_options_are_the_keywords_of_the_member_with_defaults_and_types() -> None:
    options = catalog.options("models", "residual_mlp")
    assert options["skip"] == catalog.Option("float", 1.0, required=False)
    assert options["width"] == catalog.Option("int", None, required=True)
    assert options["activation"].annotation.startswith("Literal['relu'")
    assert catalog.options("optim", "sgd") == {
        "momentum": catalog.Option("float", 0.0, required=False),
        "nesterov": catalog.Option("bool", False, required=False),
        "weight_decay": catalog.Option("float", 0.0, required=False),
    }


def test_constants_are_read_from_the_member_s_file() -> None:
    assert catalog.constant("optim", "adamw", "FAMILY") == "adam"
    assert "branch" in catalog.constant("models", "residual_mlp", "ROLES")
    with pytest.raises(LookupError, match=r"optim/sgd\.py must assign ROLES"):
        catalog.constant("optim", "sgd", "ROLES")


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", 3, None),
        ("int", 0, None),
        ("int", -1, "a whole number of at least 0"),
        ("int", 3.0, "a whole number of at least 0"),
        ("int", True, "a whole number of at least 0"),
        ("float", 3, None),
        ("float", False, "a number"),
        ("float", "3", "a number"),
        ("bool", False, None),
        ("bool", 0, "true or false"),
        ("str", "x", None),
        ("str", 1, "text"),
        ("Literal['a', 'b']", "a", None),
        ("Literal['a']", "a", None),
        ("Literal['a', 'b']", "c", "one of a, b"),
        ("Tensor", object(), None),
    ],
)
def test_a_value_that_does_not_fit_is_told_what_would(
    annotation: str, value: object, expected: str | None
) -> None:
    assert catalog.mismatch(annotation, value) == expected
