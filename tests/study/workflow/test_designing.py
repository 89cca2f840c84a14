"""`lrtransfer design` of a study: pilots and the static plan, as lines that are valid."""

from pathlib import Path

import pytest
import yaml

from lrtransfer.cli import main
from lrtransfer.study.plan.load import load_study
from lrtransfer.study.workflow.designing import _changes, _checked, _Line, _place, _places
from lrtransfer.study.workflow.start import select

from .project import ROOT
from .test_answers import NAME, clone

__all__ = ["clone"]

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("clone")
def test_the_static_plan_is_valid_and_keeps_the_measured_rates(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", "--static", "--experiments", NAME]) == 0
    lines = yaml.safe_load(capsys.readouterr().out)["study"][NAME]
    assert lines["seeds"] == [3, 4, 5, 6, 7]
    assert set(lines["arms"]) == {"mup", "ntp", "sp"}
    content = yaml.safe_load((clone / "params.yaml").read_text())
    content["study"][NAME]["seeds"] = lines["seeds"]
    for arm, own in lines["arms"].items():
        content["study"][NAME]["arms"][arm].update(own)
    (clone / "claims.yaml").unlink()
    (clone / "params.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    grid = load_study(clone / "params.yaml").study[NAME].scales["laptop"]
    for arm, rates in grid.learning_rates.items():
        assert grid.reference_learning_rate[arm] in rates
        assert 5 <= len(rates) <= 10


@pytest.mark.parametrize("step", [2 / 3, 0.75])
def test_an_axis_holds_the_measured_rate_whatever_its_step(step: float) -> None:
    measured = select(ROOT / "params.yaml").plan.grid(NAME).reference_learning_rate["mup"]
    written = _Line(-1.4, -1.4 + 5 * step, step, measured).written
    _checked(ROOT / "params.yaml", {NAME: {"arms": {"mup": {"lr": written}}}})


def test_an_axis_that_alone_is_said_of_an_inherited_arm_goes_to_that_arm() -> None:
    chosen = select(ROOT / "params.yaml", experiments="width_transfer_vit")
    place = _places(ROOT / "params.yaml")[_place(chosen, "width_transfer_vit", "mup")]
    assert place == "study.width_transfer_vit.arms.mup"
    measured = chosen.plan.grid("width_transfer_vit").reference_learning_rate["mup"]
    changes = _changes(chosen.plan, {place: _Line(-9.0, -5.0, 1.0, measured)})
    assert set(changes["width_transfer_vit"]["arms"]["mup"]) == {"lr"}
    _checked(ROOT / "params.yaml", changes)


@pytest.mark.usefixtures("clone")
def test_pilots_are_an_experiments_file(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "experiments").mkdir()
    pilots = clone / "experiments" / "pilots.yaml"
    pilots.touch()  # as a shell does, which is about to fill it
    assert main(["design", "--pilot", "1000", "--experiments", "all"]) == 0
    pilots.write_text(capsys.readouterr().out)
    study = load_study(clone / "params.yaml").study
    grid = study[f"{NAME}_pilot"].scales["laptop"]
    assert (grid.widths, grid.seeds, grid.measure) == ([32, 256], [1000], None)
    assert "tuners_pilot" not in study


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--pilot", "3"], "width_transfer_vision has this seed"),
        (["--pilot", "x"], "give a seed"),
        (["--experiment", "nothing", "--drift", "0.1"], "--experiment"),
        (["--static", "--experiments", "batch_size"], "no experiment has a pilot"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["design", *flags]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
