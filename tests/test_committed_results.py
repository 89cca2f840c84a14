"""What git holds: the committed study's small tables, and figures that they still give."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from lrtransfer.cli import main
from lrtransfer.study.evidence.replication import compare
from lrtransfer.study.figures.output import describe
from lrtransfer.study.storage.paths import RUN_TABLES, Layout
from lrtransfer.study.storage.tables import read_table
from lrtransfer.study.workflow.stages import read_claims
from lrtransfer.study.workflow.start import select
from tests.ink import without_ink
from tests.measured import (
    BLIND_TEST,
    COLUMNS,
    blind_test,
    counts,
    estimates,
    fresh_seeds,
    read_fresh_seeds,
    told_counts,
)
from tests.quotes import agrees

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
LIMIT_BYTES = 25_000_000
_KEPT = ("tables", "estimates", "claims.json", "claims.sha256", "metrics.json", "figures")


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with what a fresh clone holds of the results, and nothing else."""
    for name in ("params.yaml", "claims.yaml"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / "results").mkdir()
    for name in _KEPT:
        source, target = RESULTS / name, tmp_path / "results" / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _experiments(*, run: bool = True) -> list[str]:
    """Return the experiments whose results are committed, or those registered and not run yet."""
    plan = select(ROOT / "params.yaml", experiments="all").plan
    return [n for n in plan.experiments if (ROOT / Layout().table(n, "runs")).is_file() is run]


def _one_of_each_figure() -> list[str]:
    """Return of every figure the experiment with the smallest tables, in the study's order."""

    def size(picture: Path) -> int:
        tables = (ROOT / Layout().table(picture.parent.name, name) for name in RUN_TABLES)
        return sum(table.stat().st_size for table in tables)

    smallest = {}
    for picture in sorted((RESULTS / "figures").glob("*/*.png"), key=size, reverse=True):
        smallest[picture.stem] = picture.parent.name
    return [name for name in _experiments() if name in smallest.values()]


SELECTIONS = [
    pytest.param(_one_of_each_figure, marks=pytest.mark.slow, id="one of each figure"),
    pytest.param(_experiments, marks=pytest.mark.long, id="all"),
]


@pytest.mark.parametrize("selection", SELECTIONS)
def test_committed_figures_are_what_the_committed_tables_give(
    selection: Callable[[], list[str]],
    clone: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, not_run = selection(), _experiments(run=False)
    committed = [p for p in sorted((RESULTS / "figures").glob("*/*.png")) if p.parent.name in names]
    assert {p.stem for p in committed} == {p.stem for p in (RESULTS / "figures").glob("*/*.png")}
    shutil.rmtree(clone / "results" / "figures")
    with monkeypatch.context() as patch:
        without_ink(patch)
        assert main(["figures", "--experiments", ",".join([*names, *not_run])]) == 0
    said = capsys.readouterr().err
    assert all(f"left out {name}: it was not run" in said for name in not_run)
    for picture in committed:
        drawn = clone / picture.relative_to(ROOT)
        assert describe(drawn).fingerprint == describe(picture).fingerprint, picture.name
        assert drawn.with_suffix(".csv").read_text() == picture.with_suffix(".csv").read_text()
    assert main(["figures"]) == 0, "the core's, with ink"


@pytest.mark.parametrize("selection", SELECTIONS)
def test_committed_claims_follow_from_the_committed_tables(
    selection: Callable[[], list[str]], clone: Path
) -> None:
    claims = clone / "results" / "claims.json"
    committed = json.loads(claims.read_text(encoding="utf-8"))
    for name in selection():
        assert main(["stage", "estimates", "--experiments", name, name]) == 0
    assert main(["stage", "ledger"]) == 0
    redone = json.loads(claims.read_text(encoding="utf-8"))
    assert [r["id"] for r in redone] == [r["id"] for r in committed]
    for new, old in zip(redone, committed, strict=True):
        assert new["verdict"] == old["verdict"]
        for number in ("value", "ci_low", "ci_high"):
            known = old[number] is not None
            wanted = pytest.approx(old[number], rel=1e-6, abs=1e-9) if known else None
            assert new[number] == wanted, (new["id"], number)


def test_committed_tables_are_of_the_runs_that_params_yaml_asks_for() -> None:
    plan = select(ROOT / "params.yaml").plan
    for name in plan.experiments:
        table, _ = read_table(ROOT / Layout().table(name, "runs"))
        asked = [(r.arm, r.width, r.learning_rate, r.seed) for r in plan.part(name).runs]
        columns = (table[column].to_pylist() for column in ("arm", "width", "lr", "seed"))
        assert sorted(zip(*columns, strict=True)) == sorted(asked)


def test_the_committed_lock_is_short_enough_to_read() -> None:
    assert len((ROOT / "dvc.lock").read_text(encoding="utf-8").splitlines()) <= 500


def test_git_holds_few_bytes_of_results() -> None:
    kept = [RESULTS / name for name in _KEPT]
    files = [f for k in kept for f in ([k] if k.is_file() else k.rglob("*")) if f.is_file()]
    assert sum(f.stat().st_size for f in files) < LIMIT_BYTES


def test_other_seeds_reverse_no_verdict_of_the_core() -> None:
    """The ledger of the first seeds beside the committed one (docs/statistics.md)."""
    replication = RESULTS / "replications" / "core-first-seeds.json"
    found = compare(read_claims(replication), read_claims(RESULTS / "claims.json"))
    assert len(found.pairs) >= 50
    assert found.reversed == ()
    agreeing = [pair.agrees for pair in found.pairs if pair.agrees is not None]
    assert sum(agreeing) >= 0.95 * len(agreeing)


def test_the_half_widths_that_the_static_plan_reached_are_those_of_the_log() -> None:
    log = (ROOT / "docs" / "log.md").read_text(encoding="utf-8")
    told = re.findall(r"(μP|NTP|SP) [\d.]+\sand ([\d.]+) \(", log)
    known = estimates("width_transfer_vision")
    reached = {}
    for label, arm in (("μP", "mup"), ("NTP", "ntp"), ("SP", "sp")):
        drift = known.one("drift", arm=arm)
        assert drift is not None
        _, low, high = drift.interval(0.95)
        reached[label] = f"{(high - low) / 2:.3f}"
    assert dict(told) == reached


def test_the_blind_predictions_are_those_of_the_core_and_covered_as_told() -> None:
    """Rates registered in params.yaml before widths 512 and 1024 were trained."""
    told = pd.read_csv(BLIND_TEST)
    pd.testing.assert_frame_equal(blind_test(), told, atol=0.011)
    plan = select(ROOT / "params.yaml", experiments="blind_512,blind_1024").plan
    for row in told.to_dict("records"):
        rates = plan.grid(f"blind_{row['width']}").learning_rates[row["arm"]]
        assert min(abs(math.log2(rate) - row["predicted"]) for rate in rates) < 0.015
    assert told["covered"].tolist() == [1, 1, 1, 1, 0]


def test_the_gallery_tells_where_line_search_and_the_greedy_rate_rest() -> None:
    gallery = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    some = r"([\d., ]+) and ([\d.]+)"
    found = re.search(f"late ηλ of the greedy rate {some}, of line search {some}:", gallery)
    assert found
    for place, name in ((1, "greedy"), (3, "line_search")):
        told = [*found[place].split(", "), found[place + 1]]
        for text, net in zip(told, ("convnet", "mixer", "gpt", "vit"), strict=True):
            arm = {"mixer": f"plain_{name}", "vit": f"rms_{name}"}.get(net, name)
            late = estimates(f"tuners_{net}").one(
                "late_mean", arm=arm, quantity="rate*edge_sharpness"
            )
            assert late is not None and agrees(text, late.value), (net, name, late)


def test_without_mup_s_rates_the_best_rate_falls_by_most_of_an_octave_under_every_warmup() -> None:
    for arm in ("unscaled", "unscaled_long_warmup", "unscaled_exponential"):
        drift = estimates("weight_decay_warmups").one("drift", arm=arm)
        assert drift is not None and -1 < drift.value < -0.75 and drift.interval(0.95).high < -0.5


def test_the_verdicts_with_fresh_seeds_are_those_of_the_ledger() -> None:
    told = read_fresh_seeds()
    before = {
        (row["experiment"], row["claim"]): {name: row[f"{name}_before"] for name in COLUMNS}
        for row in told.to_dict("records")
    }
    pd.testing.assert_frame_equal(fresh_seeds(before), told)
    assert counts(told).reversed == 0


def test_sentences_that_count_the_ledger_say_what_it_holds() -> None:
    for document, sentence, numbers in told_counts():
        found = sentence.search((ROOT / document).read_text(encoding="utf-8"))
        assert found and [int(n) for n in found.groups()] == numbers, document
