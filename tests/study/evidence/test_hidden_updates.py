"""What a run's hidden weights were trained with, read off its measurements."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.hidden_updates import (
    Hidden,
    conditions,
    hidden,
    predicted_updates,
)
from lrtransfer.study.evidence.measured import measured_curves
from lrtransfer.theory import weight_decay

from . import decay_runs
from .decay_runs import ARMS, study
from .rows import stored, stored_courses


def nets(runs: pd.DataFrame, curves: pd.DataFrame) -> list[Hidden]:
    return list(hidden(runs, measured_curves(runs, curves)))


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("width", [16, 128])
def test_rates_and_decay_of_hidden_weights_are_read_off_two_measurements(
    arm: str, width: int
) -> None:
    found = {(net.arm, net.size): net for net in nets(*study())}
    own = found[arm, width]
    np.testing.assert_allclose(own.rates, decay_runs.rates(arm, width), rtol=1e-9)
    assert own.decay == pytest.approx(decay_runs.decay(arm, width), rel=1e-9)
    assert own.initial_rms == pytest.approx(width**-0.5, rel=1e-9)
    assert (own.samples, own.fan_in) == (2048, width)


def test_without_the_first_update_nothing_is_predicted() -> None:
    runs, curves = study(("independent",))
    (own, *_) = nets(runs, curves[curves["step"] > 1])
    np.testing.assert_allclose(own.rates, decay_runs.rates("independent", 16), rtol=1e-9)
    assert np.isnan(own.relative_updates()).all() and np.isnan(own.weight_rms()).all()


def test_predicted_updates_are_the_recursion_s_at_the_measured_updates() -> None:
    rows = stored_courses(predicted_updates(nets(*study()))).rows("predicted_update")
    found = rows.set_index(["quantity", "arm", "size", "step"])["value"]
    rates = decay_runs.rates("standard", 64)
    law = weight_decay.relative_updates(rates, 0.4, 64**-0.5, 0.9)
    rms = weight_decay.weight_rms(rates, 0.4, 64**-0.5)
    for step in decay_runs.MEASURED:
        of_net = ("standard", 64, step)
        assert found["relative_update", *of_net] == pytest.approx(law[step - 1], rel=1e-6)
        assert found["weight_rms", *of_net] == pytest.approx(rms[step - 1], rel=1e-6)


def of_net(arm: str, size: int, runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the conditions of a net by statistic."""
    frame = stored(conditions(nets(runs, curves))).frame
    return frame[(frame["arm"] == arm) & (frame["size"] == size)].set_index("statistic")


def test_conditions_name_what_fails() -> None:
    good = of_net("independent", 128, *study(("independent",)))
    assert good.loc["samples_per_input", "value"] == 16.0
    total = float(decay_runs.rates("independent", 16).sum()) * decay_runs.DECAY
    assert good.loc["total_decay", "value"] == pytest.approx(total)
    assert total > 4
    assert tuple(good.loc["steady_state", ["value", "note"]]) == (1.0, "")
    few = of_net("independent", 128, *study(("independent",), samples=2047.0))
    assert few.loc["steady_state", "value"] == 0.0
    assert "16" in few.loc["steady_state", "note"]
    runs, curves = study(("independent",))
    twice = runs.assign(config=runs["config"].str.replace('"one_pass": true', '"one_pass": false'))
    reused = of_net("independent", 128, twice, curves)
    assert reused.loc["steady_state", "value"] == 0.0
    assert "seen twice" in reused.loc["steady_state", "note"]


def test_the_widest_net_of_standard_decay_is_judged_by_the_base() -> None:
    row = of_net("standard", 128, *study())
    assert row["value"]["total_decay"] < 4
    assert tuple(row.loc["steady_state", ["value", "note"]]) == (1.0, "")
