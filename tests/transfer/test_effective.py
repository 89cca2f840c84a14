"""Laws and predictions over the effective rate, beside those over the nominal one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.cli import main
from lrtransfer.transfer.judge import Judgement, judge
from lrtransfer.transfer.roles import JudgeError

COLUMNS: dict[str, Any] = {
    "size": "width",
    "rate": "lr",
    "loss": "loss",
    "seed": "seed",
    "effective": "own",
}


def bent(*, bend: float = 0.1, walls: bool = False, noise: float = 0.004) -> pd.DataFrame:
    """Runs whose effective optimum, 2^-5 at width 64, falls by half an octave per octave.

    The nominal one bends away from its line: norms grow with width as if training took longer.
    """
    rng = np.random.default_rng(0)
    rows = []
    for octave, seed, k in np.ndindex(6, 3, 16):
        log2_lr = k - 12.0
        norm = 2 - bend * octave**2 + 0.3 * (log2_lr + 3)  # log2 ‖W‖
        own = log2_lr - norm
        away = own + 5 + 0.5 * octave
        failed = walls and away > 3.5
        rows.append(
            {
                "width": 64 * 2**octave,
                "lr": 2**log2_lr,
                "seed": seed,
                "own": np.nan if failed else 2 ** (own + 0.01 * rng.normal()),
                "loss": np.inf if failed else 2 + 0.1 * away**2 + noise * rng.normal(),
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def judged() -> Judgement:
    return judge(bent(), **COLUMNS)


def test_the_effective_optima_are_the_planted_ones(judged: Judgement) -> None:
    optima = judged.optima.set_index("width")
    np.testing.assert_allclose(
        np.log2(optima.effective_rate), -5 - 0.5 * np.arange(6), atol=0.1, rtol=0
    )
    assert (optima.effective_low < optima.effective_rate).all()
    drift = judged.drift.iloc[0]
    assert drift.effective_low < -0.5 < drift.effective_high
    slope = judged.laws.set_index("term").effective_value["width"]
    assert slope == pytest.approx(drift.effective_value)


def test_nominal_columns_are_those_without_it(judged: Judgement) -> None:
    plain = judge(bent(), **{**COLUMNS, "effective": None})
    names = ["arm", "width", "rate", "ci_low", "ci_high", "loss", "n_seeds", "side"]
    pd.testing.assert_frame_equal(judged.optima[names], plain.optima)
    assert plain.effective is None
    assert list(plain.held_out.rate_is) == ["nominal"]
    assert not any(str(c).startswith("effective") for c in plain.predict(width=4096))


def test_the_straighter_law_predicts_the_size_that_was_held_out(judged: Judgement) -> None:
    held = judged.held_out.set_index("rate_is")
    effective, nominal = held.loc["effective"], held.loc["nominal"]
    assert effective.width == nominal.width == 2048
    assert effective.covered
    assert effective.measured == pytest.approx(2**-7.5, rel=0.1)
    assert effective.predicted == pytest.approx(2**-7.5, rel=0.2)

    def off(row: Any) -> float:
        return abs(float(np.log2(row.predicted / row.measured)))

    assert off(effective) < 0.3 < off(nominal)
    assert effective.refused == nominal.refused == ""


def test_predictions_come_in_both(judged: Judgement) -> None:
    found = judged.predict(width=[4096, 2**30])
    near, far = found.iloc[0], found.iloc[1]
    assert near.effective_low < 2**-8 < near.effective_high
    assert near.effective_refused == ""
    assert "sweep width" in far.effective_refused and np.isnan(far.effective_rate)


def test_the_text_tells_both(judged: Judgement) -> None:
    text = " ".join(str(judged).split())
    assert "Over the effective rate: -0.5" in text
    assert "predicted from the others: nominal" in text and "; effective" in text
    assert "effective" not in str(judge(bent(), **{**COLUMNS, "effective": None}))


def test_a_diverged_run_may_lack_its_effective_rate_and_stays_a_wall() -> None:
    found = judge(bent(walls=True), **COLUMNS)
    assert found.swept.failed > 0
    other = found.effective
    assert other is not None
    for sweep in other.swept.sweeps:
        assert (np.diff(sweep.log2_rate) > 0).all()
        diverged = np.asarray(sweep.diverged.any(0)).tolist()
        assert diverged == sorted(diverged)
    np.testing.assert_allclose(
        np.log2(other.optima.rate), -5 - 0.5 * np.arange(6), atol=0.25, rtol=0
    )


def test_a_rate_beyond_which_the_effective_one_falls_is_in_its_place() -> None:
    table = bent()
    last = table.lr == table.lr.max()
    table.loc[last, "own"] /= 2**1.5  # below its left neighbour
    found = judge(table, **COLUMNS).effective
    assert found is not None
    assert any("does not rise with the rate everywhere" in note for note in found.swept.notes)
    assert all((np.diff(s.log2_rate) > 0).all() for s in found.swept.sweeps)


def test_a_run_that_trained_needs_a_positive_effective_rate() -> None:
    table = bent()
    table.loc[5, "own"] = 0.0
    with pytest.raises(JudgeError, match="'own': an effective rate is a positive number, which 0"):
        judge(table, **COLUMNS)
    with pytest.raises(JudgeError, match="given two roles"):
        judge(table, **{**COLUMNS, "effective": "lr"})


def test_an_effective_rate_that_does_not_vary_tells_no_optimum() -> None:
    with pytest.raises(
        JudgeError, match=r"'own': at width 64 .* within 0 octaves.*leave the column"
    ):
        judge(bent().assign(own=0.1), **COLUMNS)


def test_one_size_is_not_held_out() -> None:
    table = bent()
    held = judge(table[table.width == 64], **COLUMNS).held_out
    assert (held.refused == "there is one size: sweep others").all()
    assert held.covered.isna().all()


def test_the_command_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.csv"
    bent().to_csv(file, index=False)
    columns = ["--size", "width", "--rate", "lr", "--loss", "loss", "--seed", "seed"]
    asked = ["--effective", "own", "--predict", "width=4096", "--tables", str(tmp_path)]
    assert main(["judge", str(file), *columns, *asked]) == 0
    assert "Over the effective rate" in capsys.readouterr().out
    assert set(pd.read_csv(tmp_path / "held_out.csv").rate_is) == {"nominal", "effective"}
    assert "effective_rate" in pd.read_csv(tmp_path / "predictions.csv")
