"""What the rooms offer, read from their source."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from lrtransfer.study.plan import catalog, places

from .package_copy import package_copy

Options = dict[str, catalog.Option]


def test_members_are_the_files_with_the_room_s_marker() -> None:
    assert {"gpt", "residual_mlp", "resnet", "vit"} <= set(catalog.names("models"))
    assert {"norms", "ntk", "sharpness", "subset_loss"} <= set(catalog.names("probes"))
    assert not {"__init__", "memory"} & set(catalog.names("probes"))
    assert "roles" not in catalog.names("models")


@pytest.mark.parametrize("room", catalog.ROOMS)
def test_a_marker_seen_without_parsing_is_one_that_the_file_assigns(room: str) -> None:
    place = catalog.ROOMS[room]
    ours = (places.PACKAGE / place.folder).glob("*.py")
    assert {f.stem for f in ours if _assigns(f, place.marker)} == set(catalog.names(room))


def _assigns(file: Path, name: str) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    assigned = [n for n in body if isinstance(n, ast.Assign | ast.AnnAssign)]
    targets = (n.targets if isinstance(n, ast.Assign) else [n.target] for n in assigned)
    return name in {t.id for each in targets for t in each if isinstance(t, ast.Name)}


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


@pytest.fixture
def member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Options]]:
    """Return the options of a tuner that a copy of the package has besides."""
    with package_copy(tmp_path, monkeypatch) as copy:

        def options_of(source: str) -> Options:
            copy.append("optim/tuners/added.py", source)
            assert "added" in catalog.names("optim/tuners")
            return catalog.options("optim/tuners", "added")

        yield options_of


IMPORTED = "from lrtransfer.optim.tuners.cdat import CDAT\n"


def test_a_class_without_a_constructor_has_the_options_of_its_base(
    member: Callable[[str], Options],
) -> None:
    found = member(f"{IMPORTED}class Added(CDAT):\n    pass\nTUNER = Added\n")
    assert found == catalog.options("optim/tuners", "cdat")


def test_a_constructor_that_passes_options_on_adds_its_own_to_those_of_its_base(
    member: Callable[[str], Options],
) -> None:
    found = member(
        f"{IMPORTED}class Added(CDAT):\n"
        "    def __init__(self, base, *, sigma: float = 3.0, extra: int, **options):\n"
        "        pass\n"
        "TUNER: type[Added] = Added\n"
    )
    base = catalog.options("optim/tuners", "cdat")
    assert found == base | {
        "sigma": catalog.Option("float", 3.0, required=False),
        "extra": catalog.Option("int", None, required=True),
    }


def test_a_preset_has_the_options_of_its_base_with_other_defaults(
    member: Callable[[str], Options],
) -> None:
    imported = "from functools import partial\n" + IMPORTED
    found = member(f'{imported}TUNER = partial(CDAT, sigma=1.0, curvature="forward")\n')
    base = catalog.options("optim/tuners", "cdat")
    assert {name for name in base if found[name] != base[name]} == {"sigma", "curvature"}
    assert found["sigma"] == catalog.Option("float", 1.0, required=False)


def test_a_dataclass_has_its_fields_and_those_of_its_bases() -> None:
    found = catalog.options("data", "text_file")
    assert found["url"] == catalog.Option("str", None, required=True)
    assert found["tokens"] == catalog.Option("Literal['bytes', 'bpe']", "bytes", required=False)
    assert found["validation_fraction"] == catalog.Option("float", 0.1, required=False)
    assert catalog.options("data", "wikitext2")["vocabulary"].default == 8192
    assert not catalog.options("data", "wikitext103")["url"].required
    assert set(catalog.options("data", "cifar100")) == {"url", "train_per_class", "test_per_class"}


def test_an_alias_of_another_file_is_what_it_stands_for() -> None:
    found = catalog.options("optim/tuners", "cdat")["curvature"]
    assert catalog.mismatch(found.annotation, "forward") is None
    assert catalog.mismatch(found.annotation, "forwards") is not None


def test_a_marker_that_names_nothing_of_the_package_is_refused(
    member: Callable[[str], Options],
) -> None:
    with pytest.raises(LookupError, match=r"added\.py assigns Adam, whose options cannot be read"):
        member("from torch.optim import Adam\nTUNER = Adam\n")


@pytest.mark.parametrize(
    ("room", "name"),
    [(room, name) for room in catalog.ROOMS for name in catalog.names(room) if room != "figures"],
)
def test_the_options_read_are_those_that_the_member_takes(room: str, name: str) -> None:
    made, found = catalog.load(room, name), catalog.options(room, name)
    base = inspect.signature(made.func if isinstance(made, partial) else made).parameters
    assert {n for n, p in base.items() if p.kind is p.KEYWORD_ONLY} == set(found)
    taken = inspect.signature(made).parameters
    empty = inspect.Parameter.empty
    assert {n: taken[n].default for n in found} == {
        n: empty if option.required else option.default for n, option in found.items()
    }


def test_an_unknown_member_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LookupError, match=r"unknown schedule 'linea'\. Known: constant, cosine"):
        catalog.load("optim/schedules", "linea")


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
        ("int | None", None, None),
        ("int | None", 2, None),
        ("int | None", -1, "a whole number of at least 0"),
        ("Tensor", object(), None),
    ],
)
def test_a_value_that_does_not_fit_is_told_what_would(
    annotation: str, value: object, expected: str | None
) -> None:
    assert catalog.mismatch(annotation, value) == expected
