import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.measured import means_over_seeds, measured_curves, quantity_curves
from lrtransfer.transfer.estimate import of_seeds
from lrtransfer.transfer.size import POOLED
from tests.transfer.frames import make_curves, make_runs, parabola


def test_only_measured_runs_are_kept_with_their_settings() -> None:
    runs = make_runs(parabola(lambda w, s: 0.0))
    curves = make_curves(runs, [0, 1], sharpness=lambda w, s, t: w + s + t)
    foreign = pd.DataFrame({"key": ["other"], "step": [0], "loss": [1.0], "sharpness": [7.0]})
    measured = measured_curves(runs, pd.concat([curves, foreign]))
    assert len(measured) == 3 * 3 * 2
    (found,) = quantity_curves(measured, "sharpness")
    assert found.largest == 128
    assert found.steps == [0, 1]
    assert found.by_size[64].loc[2, 1] == 64 + 2 + 1
    assert found.place == {"arm": "mup", "axis": "width", "fixed": 3, "quantity": "sharpness"}


def test_a_quantity_that_was_not_measured_has_no_curves() -> None:
    runs = make_runs(parabola(lambda w, s: 0.0))
    measured = measured_curves(runs, make_curves(runs, [0, 1]))
    assert list(quantity_curves(measured, "ntk")) == []


def test_two_reference_learning_rates_in_an_arm_are_refused() -> None:
    runs = make_runs(parabola(lambda w, s: 0.0))
    runs["measured"] = runs["log2_lr"].isin([0, 1])
    with pytest.raises(ValueError, match="one reference learning rate"):
        measured_curves(runs, make_curves(runs, [0, 1]))


def test_the_pooled_estimate_is_over_each_seeds_mean_over_sizes() -> None:
    values = pd.DataFrame({8: [1.0, 2.0, np.nan], 16: [3.0, 6.0, 5.0]}, index=[4, 5, 6])
    rows = dict(means_over_seeds(values))
    assert list(rows) == [8, 16, POOLED]
    assert rows[8] == of_seeds([1.0, 2.0], [4, 5], 8)
    assert rows[POOLED] == of_seeds([2.0, 4.0, np.nan], [4, 5, 6]), (
        "sizes differ: seeds that have all"
    )
