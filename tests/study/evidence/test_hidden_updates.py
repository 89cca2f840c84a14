"""What a run's hidden weights were trained with, read off its measurements."""

from __future__ import annotations

import numpy as np
import pytest

from lrtransfer.study.evidence.hidden_updates import hidden
from lrtransfer.study.evidence.measured import measured_curves

from . import decay_runs
from .decay_runs import ARMS, study


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("width", [16, 128])
def test_rates_and_decay_of_hidden_weights_are_read_off_two_measurements(
    arm: str, width: int
) -> None:
    runs, curves = study()
    found = {(net.arm, net.size): net for net in hidden(runs, measured_curves(runs, curves))}
    own = found[arm, width]
    np.testing.assert_allclose(own.rates, decay_runs.rates(arm, width), rtol=1e-9)
    assert own.decay == pytest.approx(decay_runs.decay(arm, width), rel=1e-9)
    assert own.initial_rms == pytest.approx(width**-0.5, rel=1e-9)
    assert (own.samples, own.fan_in) == (2048, width)


def test_without_the_first_update_nothing_is_predicted() -> None:
    runs, curves = study(("independent",))
    late = measured_curves(runs, curves[curves["step"] > 1])
    (own, *_) = list(hidden(runs, late))
    np.testing.assert_allclose(own.rates, decay_runs.rates("independent", 16), rtol=1e-9)
    assert np.isnan(own.relative_updates()).all() and np.isnan(own.weight_rms()).all()
