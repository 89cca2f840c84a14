from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.edge_of_stability import (
    bounded_quantity,
    edge_factor,
    edge_of_stability,
    stochastic_edges,
)
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measured import measured_curves
from tests.transfer.frames import Quantity, make_curves, make_runs, parabola

from .rows import shown, stored


def estimates(
    function: Quantity, *, quantity: str = "sharpness", options: dict[str, float] | None = None
) -> Estimates:
    runs = make_runs(parabola(lambda w, s: 0.0), reference=2.0, options=options)
    curves = make_curves(runs, [0, 16], **{quantity: function})
    return stored(edge_of_stability(runs, measured_curves(runs, curves)))


def config(**options: Any) -> dict[str, Any]:
    return {"optimizer": {"name": "sgd", "options": options}}


def test_ratio_is_the_final_sharpness_over_two_over_the_learning_rate() -> None:
    own = estimates(lambda w, s, t: (0.5 + 0.1 * (s - 1)) * np.where(t == 16, 1, 9) * w / 64)
    found = shown(own, "edge_ratio", "size", at="1")
    assert found["value"].to_dict() == pytest.approx({32: 0.5, 64: 1.0, 128: 2.0, 0: 3.5 / 3})
    low, high = found.loc[0, ["ci_low", "ci_high"]]
    assert low < 3.5 / 3 < high
    edge = own.one("edge", arm="mup", quantity="sharpness")
    assert edge is not None and edge.value == 0.5
    assert np.isnan(edge.interval(0.95).low)


def test_the_ratio_is_known_at_every_measured_step_by_its_share_of_the_run() -> None:
    runs = make_runs(parabola(lambda w, s: 0.0), reference=2.0)
    runs["config"] = '{"steps": 64, "optimizer": {"name": "sgd", "options": {}}}'
    curves = make_curves(runs, [0, 16, 64], sharpness=lambda w, s, t: 0.5 + t / 128)
    own = stored(edge_of_stability(runs, measured_curves(runs, curves)))
    ratio = own.rows("edge_ratio", size=0).set_index("at")["value"]
    assert ratio.to_dict() == pytest.approx({"0": 1.0, "0.25": 1.25, "1": 2.0})


def test_a_run_that_did_not_reach_the_end_is_not_counted() -> None:
    own = estimates(lambda w, s, t: np.where((t == 16) & (s == 0) & (w == 32), np.nan, 0.5))
    found = shown(own, "edge_ratio", "size", at="1")
    assert found["n_seeds"].to_dict() == {32: 2, 64: 3, 128: 3, 0: 2}
    assert found.loc[32, "value"] == pytest.approx(1.0)


def test_the_edge_of_adam_is_that_of_the_preconditioned_sharpness() -> None:
    assert edge_factor(config(beta1=0.9), "preconditioned_sharpness") == pytest.approx(38)
    assert edge_factor(config(beta1=0.0), "preconditioned_sharpness") == 2
    assert np.isnan(edge_factor(config(beta1=0.9), "sharpness"))
    options = {"beta1": 0.9}
    own = estimates(
        lambda w, s, t: 0 * t + 9.5, quantity="preconditioned_sharpness", options=options
    )
    found = shown(own, "edge_ratio")
    np.testing.assert_allclose(found["value"], 1.0)
    assert set(found["quantity"]) == {"preconditioned_sharpness"}
    assert estimates(lambda w, s, t: 0 * t + 9.5, options=options).frame.empty


def test_rmsprop_bounds_the_preconditioned_sharpness_alone() -> None:
    assert np.isnan(edge_factor(config(beta2=0.99), "sharpness"))
    assert edge_factor(config(beta2=0.99), "preconditioned_sharpness") == 2
    assert edge_factor(config(beta2=0.99, momentum=0.9), "preconditioned_sharpness") == 3.8


def test_momentum_moves_the_edge() -> None:
    assert edge_factor(config(momentum=0.9), "sharpness") == pytest.approx(3.8)
    nesterov = edge_factor(config(momentum=0.9, nesterov=True), "sharpness")
    assert nesterov == pytest.approx(3.8 / 2.8)


def test_the_bounded_quantity_is_the_preconditioned_one_only_where_it_has_values() -> None:
    runs = make_runs(parabola(lambda w, s: 0.0))
    both = {"sharpness": lambda w, s, t: 1.0 + t, "preconditioned_sharpness": lambda w, s, t: t}
    measured = measured_curves(runs, make_curves(runs, [0, 1], **both))
    assert bounded_quantity(measured) == "preconditioned_sharpness"
    assert bounded_quantity(measured.assign(preconditioned_sharpness=np.nan)) == "sharpness"


def test_the_batch_sharpness_has_two_plateaus_under_heavy_ball() -> None:
    assert stochastic_edges(config(momentum=0.9)) == pytest.approx((0.2, 3.8))
    assert stochastic_edges(config()) == (2, 2)
    another = {"optimizer": {"name": "mine", "options": {"momentum": 0.9}}}
    assert np.isnan(stochastic_edges(another)).all()
    options = {"momentum": 0.9}
    own = estimates(lambda w, s, t: 0 * t + 0.05, quantity="batch_sharpness", options=options)
    found = shown(own, "stochastic_edge_ratio")  # at η₀ = 4
    np.testing.assert_allclose(found["value"], 1.0)
    edge = own.one("stochastic_edge", arm="mup", quantity="batch_sharpness")
    assert edge is not None and edge.value == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("options", "quantity"),
    [
        ({"norm": "linf", "normalised": False}, "sign_sharpness"),
        ({"norm": "spectral", "normalised": True}, "spectral_sharpness_normalised"),
    ],
)
def test_steepest_descent_has_its_edge_in_its_own_norm(
    options: dict[str, Any], quantity: str
) -> None:
    own = {"optimizer": {"name": "steepest", "options": options}}
    assert edge_factor(own, quantity) == 2
    assert np.isnan(edge_factor(own, "sharpness"))
    assert np.isnan(stochastic_edges(own)).all()
    assert bounded_quantity(pd.DataFrame(), own) == quantity


def test_a_plateau_that_no_source_gives_is_not_known() -> None:
    small, large = stochastic_edges(config(momentum=0.9, nesterov=True))
    assert np.isnan(small) and large == pytest.approx(3.8 / 2.8)
    assert np.isnan(stochastic_edges(config(beta1=0.9))).all()
    assert np.isnan(stochastic_edges({**config(), "tuner": {"name": "cdat"}})).all()


def test_an_optimizer_of_one_s_own_has_no_edge_that_is_known() -> None:
    own = {"optimizer": {"name": "mine", "options": {"momentum": 0.5}}}
    assert np.isnan(edge_factor(own, "sharpness"))
