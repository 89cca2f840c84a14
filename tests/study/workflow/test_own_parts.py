"""Probes, figures and measures of one's own are looked at before anything trains."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import Measure
from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.claims import parse_claims
from lrtransfer.study.plan.expand import Plan, plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.workflow import stage_commands
from lrtransfer.study.workflow.preflight import check_own_parts, check_runs
from tests.study.figures import synthetic
from tests.study.workflow.own_folder import write
from tests.tiny import EXPERIMENT, tiny_grid, tiny_params

PROBE = """from lrtransfer.study.probes.memory import Stateless


class Mine(Stateless):
    gradients = 1 / 3

    def measure(self, at):
        return {"output_size": at.model(at.inputs).abs().mean().item()}


PRICE = 0.4
COLUMNS = {"output_size": ("compared",)}
PROBE = Mine
"""
FIGURE = """from lrtransfer.study.figures.tables import Drawing


def mine(tables, settings):
    return Drawing(*settings)


FIGURE = mine
"""
MEASURE = """from lrtransfer.study.evidence.measure import Arm, measure


@measure("loss of {arm} along the {axis}", unit="1", kind="mean")
def mine(estimates, *, arm: Arm):
    return estimates.one("drift", arm=arm)
"""


pytestmark = pytest.mark.usefixtures("own_folder")


def study(probes: tuple[str, ...] = ("mine",), **changes: Any) -> Plan:
    content = tiny_params()
    grid = tiny_grid(content)
    del grid["spectra"]
    grid |= changes
    grid["measure"]["probes"] = list(probes)
    return plan(parse_study(content))


@pytest.mark.slow
def test_a_probe_of_one_s_own_passes_before_and_in_the_job() -> None:
    write("probes/mine.py", PROBE)
    made = study()
    check_runs(made)
    check_own_parts(made, made.runs)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("at.model(", "at.modle(", r"probes/mine\.py:8: AttributeError: "),
        (
            '{"output_size": at.model(at.inputs).abs().mean().item()}',
            "[1.0]",
            r"measures a list\. Return",
        ),
        ("at.model(at.inputs).abs().mean().item()", "at.inputs", r"measures \(2, .*Return column"),
        (
            'return {"output_size"',
            'return {"output_sise"',
            r"'output_sise', which COLUMNS does not name\. Add it there",
        ),
        ("class Mine(Stateless)", "class Mine", r"lacks 'state'\. Let its class in probes/mine.py"),
    ],
)
def test_a_probe_that_fails_or_measures_something_else_is_named(
    old: str, new: str, told: str
) -> None:
    write("probes/mine.py", PROBE.replace(old, new))
    with pytest.raises(StudyError, match=told) as caught:
        check_runs(study())
    made = study()
    with pytest.raises(StudyError, match=told):
        check_own_parts(made, made.runs)
    assert "probes/mine.py" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("loss", r"measure\.probes: probes/mine\.py has the column 'loss', which the tables have"),
        ("sharpness", r"'sharpness', which is one of the probe 'sharpness', too\. Rename it"),
    ],
)
def test_a_column_that_is_there_already_is_refused(column: str, told: str) -> None:
    write("probes/mine.py", PROBE.replace('"output_size"', f'"{column}"'))
    with pytest.raises(StudyError, match=told):
        study(("sharpness", "mine"))


@pytest.mark.parametrize(
    ("old", "new"),
    [("PRICE = 0.4\n", ""), ('{"output_size": ("compared",)}', "dict(output_size=())")],
)
def test_a_probe_that_does_not_tell_price_or_columns_is_refused(old: str, new: str) -> None:
    write("probes/mine.py", PROBE.replace(old, new))
    with pytest.raises(StudyError, match=r"probes/mine\.py does not tell price and columns"):
        study()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("(tables, settings)", "(tables)", r"figures/mine\.py:4: 'mine' takes \(tables\)\. Let"),
        ("return ", "", r"figures/mine\.py:4: 'mine' returns nothing\. Let FIGURE be a function"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_named_with_its_line(
    old: str, new: str, told: str
) -> None:
    write("figures/mine.py", FIGURE)
    assert study(("subset_loss",), figures=["mine"])
    write("figures/mine.py", FIGURE.replace(old, new))
    with pytest.raises(StudyError, match=rf"figures: {told}"):
        study(("subset_loss",), figures=["mine"])


@pytest.mark.parametrize(
    ("file", "text"), [("figures/mine.py", FIGURE), ("measures/mine.py", MEASURE)]
)
def test_a_figure_or_measure_that_cannot_be_imported_is_named(file: str, text: str) -> None:
    write(file, text.replace("import ", "import Nothing, ", 1))
    with pytest.raises(StudyError, match=rf"^{file}:1: ImportError: "):
        check_runs(study(("subset_loss",), **({"figures": ["mine"]} if file[0] == "f" else {})))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{arm}", "{amr}", r"says {amr}, which is no option\. Did you mean 'arm'"),
        ("{arm}", "{arm", r"Write a brace that is meant twice"),
        ('"mean"', '"average"', r"is of kind 'average'\. Give one of slope, mean, arms"),
        ('unit="1", ', "", r"lacks its words\. Write @measure"),
        ("return ", "", r"returns nothing\. Let it take \(estimates"),
        ("(estimates, ", "(estimates, runs, ", r"takes \(estimates, runs\)\. Let it take"),
    ],
)
def test_a_measure_that_no_claim_could_show_is_named(old: str, new: str, told: str) -> None:
    claim = {
        "says": "It stays.",
        "source": "me",
        "experiments": [EXPERIMENT],
        "figure": tiny_params()["study"][EXPERIMENT]["figures"][0],
        "measure": {"mine": {"arm": "mup"}},
        "rule": {"below": 1.0},
    }
    write("measures/mine.py", MEASURE)
    made = study(("subset_loss",)).study
    assert parse_claims({"ours": {"mine": claim}}, made)
    write("measures/mine.py", MEASURE.replace(old, new))
    with pytest.raises(
        StudyError, match=rf"claims\.yaml: ours\.mine\.measure: measures/mine\.py:5: .*{told}"
    ):
        parse_claims({"ours": {"mine": claim}}, made)


def test_what_a_part_of_one_s_own_raises_in_a_stage_is_one_line() -> None:
    write("figures/mine.py", FIGURE.replace("Drawing(*settings)", "settings.nothing"))

    def stage(options: Namespace) -> None:
        catalog.load("figures", "mine")(None, options)

    with pytest.raises(StudyError, match=r"^figures/mine.py:5: AttributeError: .*nothing"):
        stage_commands._stage(stage)(Namespace())


def test_a_measure_that_returns_a_number_is_named() -> None:
    number = cast("Callable[..., None]", lambda estimates: 1.5)
    own = Measure(number, "a number", "1", "mean")
    with pytest.raises(ValueError, match="returns float, and not an Estimate or None"):
        own(cast("Estimates", None))


def test_a_figure_that_returns_no_drawing_is_named(tmp_path: Path) -> None:
    write("figures/mine.py", FIGURE.replace("Drawing(*settings)", "settings"))
    tables = synthetic.tables()
    with pytest.raises(ValueError, match=r"the figure 'mine' returns Settings\. Return"):
        draw("mine", tables, synthetic.settings(), tmp_path)
