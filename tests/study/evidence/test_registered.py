"""The table of registered powers: what it takes from the design and what from the estimates."""

import math

import pytest

from lrtransfer.study.evidence.estimates import Estimates, table
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.registered import registered
from lrtransfer.study.plan.claims import Claim, Entry
from lrtransfer.transfer.estimate import Estimate, Part
from tests.transfer.frames import make_curves, make_runs, parabola


def estimates() -> Estimates:
    runs = make_runs(parabola(lambda size, seed: 0.2 * math.log2(size / 64) + 0.1 * (seed - 1)))
    own = Experiment(runs, make_curves(runs, [0, 1]))
    return Estimates(table("planted", own.estimates()).to_pandas())


def claim(measure: str, rule: dict[str, object]) -> Claim:
    entry = Entry.model_validate(
        {
            "says": "It stays",
            "source": "here",
            "experiments": ["planted"],
            "figure": "transfer",
            "measure": {measure: {"arm": "mup"}},
            "rule": rule,
        }
    )
    return Claim("planted_claim", "paper", entry)


def test_of_what_was_not_run_a_pilot_tells_the_power_of_drifts() -> None:
    claims = [
        claim("drift_over_range", {"within": [-0.5, 0.5]}),
        claim("drift", {"below": -0.25}),
        claim("regret", {"below": 0.02}),
    ]
    planned = Estimate(0.3, (Part(0.01**2, 13),), systematic=0.02, open_low=True)
    asked = {("planted", "mup"): planned}
    over, slope = registered({}, claims, asked, seeds=5, octaves={"planted": 3.0})
    assert (over["claim"], over["experiment"], over["seeds"]) == ("planted_claim", "planted", 5)
    assert over["then"] == pytest.approx(3 * planned.half_width(0.05))
    assert over["power_inside"] > 0.99
    assert slope["then"] == pytest.approx(planned.half_width(0.05))
    assert 0 < slope["detectable"] < 0.25 and math.isnan(slope["power_inside"])
    assert not list(registered({}, claims, {}, seeds=5, octaves={"planted": 3.0}))


def test_a_drift_has_the_designs_scatter_and_others_their_own_with_more_seeds() -> None:
    claims = [claim("drift_over_range", {"within": [-0.5, 0.5]}), claim("regret", {"below": 0.02})]
    planned = Estimate(0.0, (Part(0.01**2, 13),), systematic=0.02)
    drift, regret = registered(
        {"planted": estimates()}, claims, {("planted", "mup"): planned}, seeds=5
    )
    assert drift["then"] == pytest.approx(2 * planned.half_width(0.05), rel=1e-9)
    assert drift["power_inside"] > 0.99 > drift["power"] > 0
    assert drift["detectable"] > 0
    assert regret["then"] < regret["half_width"]
    assert math.isnan(regret["power_inside"])
    assert (drift["seeds"], drift["rule"]) == (5, "in [-0.5, 0.5]")
