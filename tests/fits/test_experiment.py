import numpy as np
import pandas as pd
import pytest

from lrtransfer.fits.experiment import fit_experiment

from .frames import make_curves, make_runs, parabola

TABLES = ["optima", "drift", "regret", "distances", "consistency", "trends", "edge_of_stability"]


@pytest.fixture
def runs():
    return make_runs(parabola(lambda w, s: 0.1 * s))


def test_every_table_is_returned_with_its_columns(runs):
    full = fit_experiment(
        runs,
        make_curves(
            runs,
            [0, 1, 4, 16, 64],
            sharpness=lambda w, s, t: 1.0 + t / w + 0.01 * s,
            subset_loss=lambda w, s, t: 1.0 + t / w + 0.01 * s,
            ntk=lambda w, s, t: 1.0 + t / w + 0.01 * s,
        ),
    )
    assert list(full) == TABLES
    assert not any(table.empty for table in full.values())
    assert set(full["consistency"]["quantity"]) == {"sharpness", "subset_loss", "ntk"}
    assert set(full["trends"]["quantity"]) == {"sharpness", "ntk"}
    bare = fit_experiment(runs.assign(measured=False), make_curves(runs, [0]))
    assert [list(bare[n].columns) for n in TABLES] == [list(full[n].columns) for n in TABLES]
    assert bare["consistency"].empty and not bare["optima"].empty


def test_arms_keep_their_order_of_appearance(runs):
    both = pd.concat([make_runs(parabola(lambda w, s: 0.0), arm="sp"), runs])
    assert fit_experiment(both, make_curves(both, [0]))["drift"]["arm"].tolist() == ["sp", "mup"]


def test_everything_diverged_is_defined():
    runs = make_runs(lambda w, s, lr: np.inf)
    fits = fit_experiment(runs, make_curves(runs, [0]))
    assert (fits["optima"]["n_seeds"] == 0).all()
    assert fits["drift"]["slope"].isna().all()


def test_no_runs_several_experiments_and_bad_confidence_are_refused(runs):
    curves = make_curves(runs, [0])
    with pytest.raises(ValueError, match="runs is empty"):
        fit_experiment(runs.iloc[:0], curves)
    with pytest.raises(ValueError, match="several experiments"):
        fit_experiment(pd.concat([runs, runs.assign(experiment="other")]), curves)
    with pytest.raises(ValueError, match="confidence"):
        fit_experiment(runs, curves, confidence=95)
