"""claims.yaml: what it says, and one line for everything that may be wrong in it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.claims import (
    FILE,
    OURS,
    load_claims,
    parse_claims,
)
from lrtransfer.study.plan.load import load_study, parse_study
from lrtransfer.study.plan.measures import KINDS, measures
from lrtransfer.study.plan.yaml_file import StudyError, read_yaml
from tests.tiny import EXPERIMENT, PARAMS, real_params, tiny_params

STUDY = parse_study(real_params())
CLAIMS_FILE = PARAMS.with_name(FILE)
REMOVED = object()
JARGON = re.compile(r"Input should|pydantic|constrained|validat|type=|_type\b|dictionary", re.I)
SPELLED = re.compile(r"^claims\.yaml: \S+: \S.*[^.?]*[.?] [A-Z].*[.?]$")

ENTRY: dict[str, Any] = {
    "says": "Under μP the best learning rate stays",
    "source": "Fig. 1",
    "experiments": [EXPERIMENT],
    "figure": "width_transfer",
    "measure": {"drift": {"arm": "mup", "minus": "sp"}},
    "rule": {"within": [-0.1, 0.1]},
}
DECAY = {"experiments": ["weight_decay"], "figure": "decay_changes"}
TUNERS = {"experiments": ["tuners", "tuners_mixer"], "figure": "tuner_losses"}


def content(**changes: Any) -> dict[str, Any]:
    """Return a file of one claim with changed fields."""
    fields = {**copy.deepcopy(ENTRY), **changes}
    kept = {name: value for name, value in fields.items() if value is not REMOVED}
    return {"paper": {"x": kept}}


def measure(name: str, **options: Any) -> dict[str, Any]:
    return {"measure": {name: options}}


# What is changed, the field that the message names, its remedy.
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown field": ({"rul": {"above": 0}, "rule": REMOVED}, "rul", "Did you mean 'rule'?"),
    "missing field": ({"says": REMOVED}, "says", "Add this field."),
    "empty sentence": ({"says": ""}, "says", "Give text of at least 1 character."),
    "unknown experiment": ({"experiments": ["width_transfer_visio"]}, "experiments", f"Did you mean '{EXPERIMENT}'?"),
    "no experiment": ({"experiments": []}, "experiments", "Give at least one entry."),
    "experiment as a word": ({"experiments": EXPERIMENT}, "experiments", "Give a list, as in ["),
    "experiment twice": ({"experiments": [EXPERIMENT, EXPERIMENT]}, "experiments", "Keep each value once."),
    "figure of no experiment": ({"figure": "width_transfr"}, "figure", "Did you mean 'width_transfer'?"),
    "figure of another experiment": ({"figure": "tuner_losses"}, "figure", "Known: consistency"),
    "unknown measure": (measure("drfit", arm="mup"), "measure", "Did you mean 'drift'?"),
    "no measure": ({"measure": {}}, "measure", "Give one, with its options."),
    "two measures": ({"measure": {"drift": {"arm": "mup"}, "regret": {"arm": "mup"}}}, "measure", "Give one, with its options."),
    "measure as a word": ({"measure": "drift"}, "measure", "Give a mapping, as in"),
    "unknown arm": (measure("drift", arm="mpu"), "measure.drift.arm", "Did you mean 'mup'?"),
    "unknown arm to subtract": (measure("drift", arm="mup", minus="spp"), "measure.drift.minus", "Did you mean 'sp'?"),
    "arm as a number": (measure("drift", arm=3), "measure.drift.arm", "Known: mup, ntp, sp."),
    "arm missing": (measure("drift"), "measure.drift.arm", "Give a value (arm)."),
    "unknown option": (measure("drift", arm="mup", mins="sp"), "measure.drift.mins", "Did you mean 'minus'?"),
    "subtraction from a ratio": ({**TUNERS, **measure("loss_ratio_at_equal_price", arm="cdat", over="constant", minus="greedy")}, "measure.loss_ratio_at_equal_price.minus", "Known: arm, over, rate."),
    "unknown quantity": (measure("overlap", arm="mup", quantity="sharpnes"), "measure.overlap.quantity", "Did you mean 'sharpness'?"),
    "quantity that is not followed": ({**DECAY, **measure("slope", arm="standard", quantity="ntk", at="late")}, "measure.slope.quantity", "Known: alignment_ratio"),
    "time among words": (measure("trend", arm="mup", quantity="ntk", at="late"), "measure.trend.at", "Give one of start, end."),
    "rate as text": ({**TUNERS, **measure("loss_ratio", arm="cdat", over="constant", rate="1e-3")}, "measure.loss_ratio.rate", "Give a number."),
    "size with a point": ({**TUNERS, **measure("edge_gain_growth", arm="cdat", large=64.5, small=16)}, "measure.edge_gain_growth.large", "Give a whole number of at least 0."),
    "arm of one experiment only": ({**TUNERS, **measure("loss_ratio", arm="line_search", over="constant")}, "measure.loss_ratio.arm", "Did you mean 'plain_line_search'?"),
    "none of several arms": ({**TUNERS, **measure("loss_ratio", arm={"first_of": ["polyak", "hypergradient"]}, over="constant")}, "measure.loss_ratio.arm", "Known: constant"),
    "misspelt arm among several": ({**TUNERS, **measure("loss_ratio", arm={"first_of": ["plain_gredy", "greedy"]}, over="constant")}, "measure.loss_ratio.arm.first_of", "Did you mean 'plain_greedy'?"),
    "unknown field of an arm": ({**TUNERS, **measure("loss_ratio", arm={"first": ["greedy"]}, over="constant")}, "measure.loss_ratio.arm.first", "Did you mean 'first_of'?"),
    "list in place of an arm": (measure("drift", arm=["mup", "sp"]), "measure.drift.arm", "Known: mup, ntp, sp."),
    "pair of one": ({**TUNERS, **measure("loss_ratio", arm="cdat", over="constant", minus=["greedy"])}, "measure.loss_ratio.minus", "Give a list of two arms."),
    "window as a number": (measure("edge_ratio", arm="mup", window=0.5), "measure.edge_ratio.window", "Give two shares of the run, the lower one first."),
    "window backwards": (measure("edge_ratio", arm="mup", window=[0.5, 0.125]), "measure.edge_ratio.window", "Give two shares of the run, the lower one first."),
    "window in steps": (measure("edge_ratio", arm="mup", window=[14, 128]), "measure.edge_ratio.window", "Give two shares of the run, the lower one first."),
    "arms as a word": ({**TUNERS, **measure("share_below", arms="greedy", quantity="one_step_greedy<one_step_on_edge")}, "measure.share_below.arms", "Give a list of arms."),
    "empty interval": ({"rule": {"within": [0.1, -0.1]}}, "rule", "Give the lower limit first."),
    "interval of one limit": ({"rule": {"within": [0.1]}}, "rule", "Give two, the lower one first."),
    "two rules": ({"rule": {"above": 0, "below": 1}}, "rule", "Give one of within, above, below."),
    "no rule": ({"rule": {}}, "rule", "Give one of within, above, below."),
    "misspelt rule": ({"rule": {"abov": 0}}, "rule.abov", "Did you mean 'above'?"),
    "threshold as text": ({"rule": {"above": "1e-3"}}, "rule.above", "an exponent needs a dot, as in 1.0e-3."),
    "infinite threshold": ({"rule": {"above": float("inf")}}, "rule.above", "Give a finite number."),
    "unknown condition": ({"needs": {"steady": ["mup"]}}, "needs.steady", "Did you mean 'steady_state'?"),
    "condition of nothing": ({"needs": {}}, "needs", "Give one of steady_state, samples_per_input"),
    "condition below zero": ({"needs": {"loss": -1.0}}, "needs.loss", "Give"),
    "condition of an unknown arm": ({"needs": {"steady_state": ["mpu"]}}, "needs.steady_state", "Did you mean 'mup'?"),
    "fixed at another time": ({"fixed": "befor"}, "fixed", "Did you mean 'before'?"),
    "family of two words": ({"family": "two words"}, "family", "Give"),
}  # fmt: skip
# ruff: noqa: E501


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gives_one_line_with_field_and_remedy(fault: str) -> None:
    changes, field, remedy = FAULTS[fault]
    with pytest.raises(StudyError) as caught:
        parse_claims(content(**changes), STUDY)
    (line,) = caught.value.lines
    assert line.startswith(f"claims.yaml: paper.x.{field}: "), line
    assert remedy in line
    assert SPELLED.match(line), line
    assert not JARGON.search(line), line


def test_a_message_names_arm_and_experiment_as_they_are_written() -> None:
    changes = {**TUNERS, **measure("loss_ratio", arm="cdta", over="constant")}
    changes["experiments"] = ["tuners"]
    with pytest.raises(StudyError) as caught:
        parse_claims(content(**changes), STUDY)
    assert caught.value.lines == [
        "claims.yaml: paper.x.measure.loss_ratio.arm: 'cdta' is no arm of experiment tuners. "
        "Did you mean 'cdat'?"
    ]


def test_an_id_stands_once_over_all_papers() -> None:
    twice = {"paper": {"x": ENTRY}, "other": {"x": ENTRY}}
    with pytest.raises(StudyError, match=r"other\.x: paper has a claim of this name\. Choose"):
        parse_claims(twice, STUDY)


def test_the_claims_are_checked_with_the_study(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(tiny_params(), allow_unicode=True), encoding="utf-8")
    study = load_study(path)
    assert load_claims(tmp_path / FILE, study) == []
    (tmp_path / FILE).write_text("# none yet\n", encoding="utf-8")
    assert load_claims(tmp_path / FILE, study) == []
    faulty = yaml.safe_dump(content(figure="optima"), allow_unicode=True)
    (tmp_path / FILE).write_text(faulty, encoding="utf-8")
    with pytest.raises(StudyError, match=r"claims\.yaml: paper\.x\.figure: 'optima' is no figure"):
        load_study(path)
    (tmp_path / FILE).write_text("paper:\n  x:\n  x:\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"claims\.yaml:3: the key 'x' stands twice"):
        load_study(path)


def test_the_claims_of_this_repository_are_those_of_its_papers() -> None:
    claims = load_claims(CLAIMS_FILE, STUDY)
    papers = [claim.paper for claim in claims]
    assert {name: papers.count(name) for name in papers} == {
        "super-consistency": 62,
        "weight-decay": 27,
        "cdat": 35,
        "complete-p": 2,
        OURS: 41,
    }
    records = [claim.family for claim in claims for _ in claim.entry.experiments]
    assert {name: records.count(name) for name in records} == {
        "super-consistency": 76,
        "weight-decay": 29,
        "cdat": 69,
        "complete-p": 2,
        OURS: 14,
        "momentum-edge": 4,
        "generalised-edge": 4,
        "fixed-norms": 3,
        "muon-width": 5,
        "batch-duration": 5,
        "blind-prediction": 10,
    }


def test_no_two_claims_measure_the_same_of_the_same_experiment() -> None:
    seen: dict[tuple[str, str], str] = {}
    for claim in load_claims(CLAIMS_FILE, STUDY):
        for experiment in claim.entry.experiments:
            asked = (experiment, repr(claim.entry.measure))
            assert seen.setdefault(asked, claim.id) == claim.id, asked


def test_every_optimum_that_stays_has_one_margin() -> None:
    claims = load_claims(CLAIMS_FILE, STUDY)
    stays = [c for c in claims if c.id.endswith("_stays") and c.measure != "trend"]
    assert len(stays) == 25
    assert {c.measure for c in stays} == {"drift_over_range"}
    assert {tuple(c.entry.rule.within or ()) for c in stays} == {(-0.5, 0.5)}


def test_the_list_of_changes_names_every_claim_and_every_record_of_old() -> None:
    page = (CLAIMS_FILE.parent / "docs" / "claims.md").read_text(encoding="utf-8")
    cells = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    rows = [row for row in cells if len(row) == 7]
    named = {(row[0].split("`")[-2], row[1].split(" → ")[-1]) for row in rows}
    added = {"momentum_edge", "generalised_edge", "weight_decay_shakespeare"}
    added |= {"tuners_batch_vit", "tuners_long"}
    added |= {f"width_transfer_{name}" for name in ("fashion", "resnet", "vit", "shakespeare")}
    claims = load_claims(CLAIMS_FILE, STUDY)
    asked = {(c.id, e) for c in claims for e in c.entry.experiments if e not in added}
    later = {row[0].split("`")[1]: row[1:3] for row in cells if len(row) == 5}
    assert {c.id: [c.entry.experiments[0], c.family] for c in claims if c.id in later} == later
    assert (len(rows), named) == (148, {(c, e) for c, e in asked if c not in later})


def test_both_dialects_of_yaml_read_the_same_claims() -> None:
    own = read_yaml(CLAIMS_FILE)
    assert own == yaml.safe_load(CLAIMS_FILE.read_text(encoding="utf-8"))
    assert own == YAML(typ="safe", pure=True).load(CLAIMS_FILE)
    words = [str(key) for entries in own.values() for entry in entries.values() for key in entry]
    assert "on" not in words and "True" not in words


def test_of_several_arms_the_first_counts_that_the_experiment_has() -> None:
    names = {"first_of": ["plain_greedy", "greedy"]}
    changes = {**TUNERS, **measure("loss_ratio", arm=names, over="constant")}
    (claim,) = parse_claims(content(**changes), STUDY)
    chosen = [claim.options(STUDY.study[name].arms)["arm"] for name in claim.entry.experiments]
    assert chosen == ["greedy", "plain_greedy"]


def test_the_options_read_from_the_source_are_those_of_the_functions() -> None:
    assert set(measures()) == set(every_measure())
    for name, options in measures().items():
        function = every_measure()[name].function
        own = set(function.__annotations__) - {"estimates", "return"}
        assert own <= set(options) <= own | {"minus"}, name
        required = own - set(function.__kwdefaults__ or {})
        assert {o for o, declared in options.items() if declared.required} == required, name


def test_every_option_is_of_a_kind_that_is_checked() -> None:
    for name, options in measures().items():
        for option in options.values():
            text = option.annotation
            known = text in {"Arm", "Arms", "Pair", "Span", "Course", *KINDS} or text.startswith(
                "Literal["
            )
            assert known or catalog.mismatch(text, object()) is not None, (name, text)
