"""The generated JSON schema, and params.yaml read in both dialects of YAML."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml
from ruamel.yaml import YAML

from lrtransfer.cli import main
from lrtransfer.study.plan.notation import Notation
from tests.tiny import PARAMS, ROOT, real_params

SCHEMA = ROOT / "workflow" / "schemas" / "params.schema.json"


def test_the_committed_schema_is_the_generated_one() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == Notation.model_json_schema()


def test_the_command_prints_the_schema_as_committed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == SCHEMA.read_text(encoding="utf-8")


def test_the_schema_is_valid_and_accepts_the_real_file() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(real_params())


@pytest.mark.parametrize("lr", ["2^-3", "2^-3 .. 2^3", "2^-3..2^0 by 1/2", 0.3, ["2^-3", 0.3]])
@pytest.mark.parametrize("member", ["sgd", {"sgd": {"momentum": 0.9}}, {"sgd": {"momentum": None}}])
def test_the_schema_accepts_every_short_form(lr: object, member: object) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    mine = {"like": "joint", "only": ["mup"], "optimizer": member, "lr": lr, "spectra": None}
    mine |= {"arms": {"mup": lr, "new": {"lr": lr, "measured_at": "2^-3"}}, "loss_window": "1/4"}
    mine |= {"scales": {"paper": {"lr": lr, "arms": {"mup": lr}}}}
    jsonschema.Draft202012Validator(schema).validate(real_params() | {"study": {"mine": mine}})


@pytest.mark.parametrize(
    "fault",
    [
        {"scale": "laptp"},
        {"figurs": {}},
        {"experiments": 5},
        {"study": {}},
        {"defaults": {"stepz": 3}},
        {"defaults": {"scales": {"smoke": {"from": "laptop"}}}},
        {"study": {"mine": {"arms": {"mup": {"lable": "x"}}}}},
        {"study": {"mine": {"scales": {"laptop": {}}}}},
        {"study": {"mine": {"lr": "2^-3 . 2^3"}}},
        {"study": {"mine": {"arms": {"mup": "10^-3 .. 10^0"}}}},
        {"study": {"mine": {"measured_at": "fast"}}},
        {"study": {"mine": {"loss_window": "5/4"}}},
        {"study": {"mine": {"widths": None}}},
        {"study": {"mine": {"depths": [10**6]}}},
        {"study": {"mine": {"arms": {"mup": {"label": "_mup"}}}}},
    ],
)
def test_the_schema_refuses_what_the_study_refuses(fault: dict[str, object]) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(real_params() | fault)


def test_no_field_and_no_short_form_is_anything_but_text_in_either_dialect_of_yaml() -> None:
    fields = {
        name
        for section in [
            Notation.model_json_schema(),
            *Notation.model_json_schema()["$defs"].values(),
        ]
        for name in section["properties"]
    }
    assert {"lr", "like", "only", "from"} <= fields
    for text in (*fields, "2^-3", "2^-3 .. 2^3 by 1/2", "1/16", "experiments/*.yaml", "none"):
        for read in (yaml.safe_load, YAML(typ="safe", pure=True).load):
            assert read(f"{text}: {text}") == {text: text}


def test_both_dialects_of_yaml_read_the_same_content() -> None:
    def typed(value: object) -> object:
        """Return ``value`` with the type of each leaf, as 1 == 1.0 == True in Python."""
        if isinstance(value, dict):
            return {key: typed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [typed(inner) for inner in value]
        return (type(value).__name__, value)

    modern = YAML(typ="safe", pure=True).load(PARAMS.read_text(encoding="utf-8"))
    assert typed(modern) == typed(real_params())
