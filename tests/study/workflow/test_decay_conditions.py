"""What `lrtransfer check` says of an experiment's weight-decay conditions."""

from __future__ import annotations

from typing import Any

import pytest

from lrtransfer.study.data import source
from lrtransfer.study.plan import Plan, parse_study, plan
from lrtransfer.study.workflow.decay_conditions import condition_lines
from tests.tiny import real_params, tiny_plan

NAME = "weight_decay"


def lines(changes: dict[str, Any], options: dict[str, Any] | None = None) -> list[str]:
    content = real_params() | {"scale": "laptop", "experiments": [NAME]}
    experiment = content["study"][NAME]
    experiment["scales"] = {"laptop": experiment["scales"]["laptop"] | changes}
    experiment["optimizer"]["options"] |= options or {}
    return list(condition_lines(of(found := plan(parse_study(content))), sizes(found)))


def of(found: Plan) -> Plan:
    return found.part(NAME)


def sizes(found: Plan) -> dict[str, tuple[int, int]]:
    return {d.id: source(d.spec.source, **d.spec.options).sizes for d in found.datasets}


def test_the_laptop_s_experiment_meets_its_conditions() -> None:
    first, *notes = lines({})
    assert "16 samples per input of the widest net" in first
    assert "sum to 4.38" in first
    assert len(notes) == 1 and "Under standard weight decay" in notes[0]


def test_a_smaller_batch_and_less_decay_are_noted_with_the_remedy() -> None:
    _, *notes = lines({"batch_size": 32}, {"weight_decay": 0.1})
    assert any("Raise the batch to 2048 samples" in note for note in notes)
    assert any("Set weight_decay to" in note for note in notes)


@pytest.mark.parametrize("changes", [{"steps": 448}])
def test_the_sum_is_over_the_schedule(changes: dict[str, Any]) -> None:
    first, *_ = lines(changes)
    assert "sum to 8.7" in first


def test_an_experiment_without_rules_has_no_line() -> None:
    found = tiny_plan()
    assert list(condition_lines(found.part("width_transfer_vision"), sizes(found))) == []
