"""Relative weight decay and ε become torch's own settings."""

from __future__ import annotations

from typing import Any

import pytest

from lrtransfer.optim.groups import resolved
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.parameterizations import builtin, family


def test_relative_numbers_multiply_the_global_ones() -> None:
    groups: list[dict[str, Any]] = [
        {"name": "a", "relative_weight_decay": 3.0, "relative_epsilon": 0.5},
        {"name": "b"},
    ]
    first, second = resolved(groups, weight_decay=0.2, eps=1e-4)
    assert first["weight_decay"] == pytest.approx(0.6)
    assert first["eps"] == pytest.approx(5e-5)
    assert (second["weight_decay"], second["eps"]) == (0.2, 1e-4)
    assert (first["name"], second["name"]) == ("a", "b")


def test_an_optimizer_without_an_epsilon_gets_none() -> None:
    (group,) = resolved([{"relative_epsilon": 2.0}], weight_decay=0.0)
    assert "eps" not in group


def test_the_groups_that_were_given_stay_as_they_are() -> None:
    given = [{"relative_weight_decay": 3.0}]
    resolved(given, weight_decay=0.2, eps=1e-4)
    assert given == [{"relative_weight_decay": 3.0}]


def test_every_optimizer_follows_a_column_of_the_table() -> None:
    columns = {name: family(name) for name in catalog.names("optim")}
    known = {"sgd": "sgd", "adam": "adam", "adamw": "adam", "rmsprop": "adam"}
    assert columns.items() >= known.items()
    assert set(columns.values()) <= {column for e in builtin().values() for column in e.families}
