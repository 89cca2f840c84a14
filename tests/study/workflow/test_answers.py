"""`lrtransfer predict` and `claims` on the committed tables."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lrtransfer.cli import main
from lrtransfer.study.evidence.tables import to_arrow
from lrtransfer.study.figures.tables import Tables
from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import load_study
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.tables import read_table, write_table
from lrtransfer.study.workflow import reporting
from lrtransfer.study.workflow.stages import read_frame
from lrtransfer.study.workflow.stored import table_settings

ROOT = Path(__file__).resolve().parents[3]
NAME = "width_transfer_vision"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "claims.yaml"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / "results" / "tables").mkdir(parents=True)
    for table in (ROOT / "results" / "tables").glob("*.parquet"):
        if table.name.startswith((NAME, "depth_transfer.", "two_layer_sharpening")):
            shutil.copy2(table, tmp_path / "results" / "tables")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["predict", *arguments, "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("clone")
def test_every_arm_is_predicted_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted(capsys, "--experiment", NAME, "--width", "512")
    assert [answer["arm"] for answer in found] == ["mup", "ntp", "sp"]
    for answer in found:
        assert answer["refused"] is None
        low, value, high = (float(str(answer[k])) for k in ("ci_low", "log2_lr", "ci_high"))
        assert low < value < high
        assert answer["depth"] == 3


@pytest.mark.usefixtures("clone")
def test_the_text_says_law_interval_regret_and_the_next_sweep(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--experiment", "depth_transfer", "--arm", "half_k1", "--depth", "48"]
    assert main(["predict", *arguments]) == 0
    text = capsys.readouterr().out
    for word in ("depth 48 at width 64", "power law", "interval", "regret", "one more sweep"):
        assert word in text


@pytest.mark.usefixtures("clone")
def test_what_the_data_do_not_support_is_refused_with_status_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["predict", "--experiment", NAME, "--width", "4096"])
    assert stop.value.code == 3
    assert "sweep width 512 too" in capsys.readouterr().out


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--experiment", "none", "--width", "64"], "unknown experiment 'none'"),
        (["--experiment", NAME, "--width", "512", "--arm", "none"], "--arm 'none'"),
        (["--experiment", NAME, "--depth", "6"], "varies the width"),
        (["--experiment", NAME, "--width", "512", "--depth", "6"], "--depth 6 was not run"),
        (["--experiment", NAME, "--width", "0"], "at least 1"),
    ],
)
def test_a_wrong_question_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("clone")
def test_the_ledger_counts_plain_and_corrected_verdicts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for stage in ("estimates two_layer_sharpening", "ledger"):
        chosen = ["--experiments", "two_layer_sharpening"]
        assert main(["stage", *stage.split(), *chosen]) == 0
    assert main(["claims", "--experiments", "two_layer_sharpening"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "super-consistency, 2 claims: 2 supported" in text
    assert "corrected for the 76 registered (Holm): 2 supported" in text
    assert main(["claims", "--experiments", "two_layer_sharpening", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert records[-1]["id"] == "predict_covers_held_out"
    assert {"p_value", "p_corrected", "verdict_corrected", "power"} <= set(records[0])


@pytest.mark.slow
def test_runs_and_rules_that_changed_since_are_told(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "width_transfer_adamw"
    for table in (ROOT / "results" / "tables").glob(f"{name}.*"):
        shutil.copy2(table, clone / "results" / "tables")
    asked = ["predict", "--experiment", name, "--width", "512"]
    assert main(asked) == 0
    assert "warning" not in capsys.readouterr().err
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["study"][name]["batch_size"] = 32
    Path("params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True), encoding="utf-8")
    assert main(asked) == 0
    assert f"asks for other runs of {name} now" in capsys.readouterr().err
    for file in ("claims.json", "claims.sha256", "metrics.json"):
        shutil.copy2(ROOT / "results" / file, clone / "results")
    claims = Path("claims.yaml").read_text(encoding="utf-8")
    before, own = claims.split("  tuner_gain_grows_with_depth:")
    changed = re.sub(r"rule: \{above: \S+\}", "rule: {above: 9}", own, count=1)
    Path("claims.yaml").write_text(f"{before}  tuner_gain_grows_with_depth:{changed}", "utf-8")
    assert main(["claims", "--experiments", "tuners_depth"]) == 0
    told = capsys.readouterr().err
    assert "another rule now for tuner_gain_grows_with_depth. `lrtransfer run`" in told


def _change_runs(clone: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change the stored runs of an experiment, whose tables stay its own."""
    path = clone / "results" / "tables" / f"{NAME}.runs.parquet"
    before, about = read_table(path)
    write_table(path, to_arrow(change(before.to_pandas())), about)


def test_of_losses_below_zero_costs_are_told_in_the_loss_s_own_unit(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _change_runs(
        clone,
        lambda runs: runs.assign(
            **{name: runs[name] - 5 for name in ("initial_loss", "final_loss")}
        ),
    )
    arguments = ["--experiment", NAME, "--width", "512", "--arm", "mup"]
    (found,) = predicted(capsys, *arguments)
    assert found["valley"] == [None, None]
    assert dict(found["regret"])["is_share"] is False  # type: ignore[call-overload]
    assert main(["predict", *arguments]) == 0
    text = capsys.readouterr().out
    assert "in the loss's own unit (below zero it has no shares)" in text
    assert "nan" not in text and "%" not in text


def test_captions_tell_steps_and_batches_of_the_runs_that_are_drawn(clone: Path) -> None:
    params = clone / "params.yaml"
    layout = Layout()
    for field in ("batch_size", "steps"):
        _change_runs(clone, lambda runs, name=field: runs.assign(**{name: 7}))  # type: ignore[misc]
    made = plan(load_study(params, experiments=NAME))
    runs = read_frame(layout.table(NAME, "runs"), table_settings(made, NAME))
    settings = reporting._settings(made, NAME, Tables(runs))
    assert settings.description.endswith("with batches of 7")
    assert {arm.steps for arm in settings.arms.values()} == {7}


@pytest.mark.slow
@pytest.mark.usefixtures("clone")
def test_a_figure_that_is_no_longer_asked_for_is_kept_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("draw_figures", "write_report"):
        monkeypatch.setattr(reporting, step, lambda *about: None)
    figures = Path("results/figures", NAME)
    figures.mkdir(parents=True)
    (figures / "mine.png").touch()
    assert main(["figures", "--experiments", NAME]) == 0
    assert "no longer asked for, and kept: mine.png" in capsys.readouterr().err
