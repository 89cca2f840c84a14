"""The line search against optax's, step for step, and its failures."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lrtransfer.optim.optax_rmsprop import OptaxRMSProp
from lrtransfer.optim.tuners.constant import Constant
from lrtransfer.optim.tuners.line_search import BacktrackingLineSearch
from lrtransfer.optim.tuners.polyak import Polyak

from .problems import Quadratic, adam, momentum, sgd

# Recorded with the versions it names; the loss is `valley` in float64 from `start`.
OPTAX = json.loads(Path(__file__).with_name("optax.json").read_text(encoding="utf-8"))


def start() -> nn.Parameter:
    return nn.Parameter(torch.tensor(OPTAX["start"], dtype=torch.float64))


def valley(w: Tensor) -> Tensor:
    return (0.1 * (1 - w[:3]) ** 2 + (w[1:] - w[:3] ** 2) ** 2).sum() + 0.05


def search(steps: int, **options: Any) -> tuple[list[float], list[float]]:
    weight = start()
    tuner = BacktrackingLineSearch(sgd([weight]), **options)
    rates, values = [], []
    for _ in range(steps):
        values.append(tuner.step(lambda: valley(weight)).item())
        rates.append(tuner.learning_rate or 0.0)
    return rates, values


@pytest.mark.parametrize("row", OPTAX["rows"], ids=lambda r: f"{list(r.values())[:4]}")
def test_accepted_rates_are_optax_s_in_the_paper_s_sixteen_settings(row: dict[str, Any]) -> None:
    names = ("sufficient_decrease", "slack", "increase", "decrease")
    rates, values = search(
        len(row["learning_rates"]),
        max_backtracks=OPTAX["max_backtracks"],
        **{name: row[name] for name in names},
    )
    assert rates == pytest.approx(row["learning_rates"], rel=1e-12)
    assert values == pytest.approx(row["values"], rel=1e-9)


def test_taking_the_smallest_rate_after_a_failure_is_what_optax_does() -> None:
    row = dict(OPTAX["exhausted"])
    rates, values = row.pop("learning_rates"), row.pop("values")
    found = search(len(rates), exhausted="smallest", **row)
    assert found[0] == pytest.approx(rates, rel=1e-12)
    assert found[1] == pytest.approx(values, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "base", "options"),
    [
        ("rmsprop", lambda p: OptaxRMSProp(p, beta2=0.999), {"learning_rate": 0.01}),
        ("momentum", momentum, {"learning_rate": 0.01}),
        ("adam", adam, {"learning_rate": 0.01}),
    ],
)
def test_base_directions_are_optax_s(name: str, base: Any, options: dict[str, float]) -> None:
    weight = start()
    tuner = Constant(base([weight]), **options)  # type: ignore[arg-type]
    for expected in OPTAX[name]["weights"]:
        tuner.step(lambda: valley(weight))
        assert weight.tolist() == pytest.approx(expected, rel=1e-9)


def test_polyak_is_optax_s() -> None:
    weight = start()
    tuner = Polyak(sgd([weight]), max_learning_rate=1.0)
    for expected in OPTAX["polyak"]["weights"]:
        tuner.step(lambda: valley(weight))
        assert weight.tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("base", [sgd, OptaxRMSProp])
def test_the_loss_never_rises_without_slack(base: Any) -> None:
    weight = start()
    tuner = BacktrackingLineSearch(base([weight]), sufficient_decrease=0.0)
    losses = [tuner.step(lambda: valley(weight)).item() for _ in range(40)]
    assert all(b <= a for a, b in pairwise(losses))
    assert losses[-1] < losses[0]


def test_coupled_decay_is_part_of_what_is_searched() -> None:
    inside, outside = Quadratic([1.0, 1.0, 1.0]), Quadratic([1.0, 1.0, 1.0])
    decayed = torch.optim.SGD(inside.parameters, lr=1.0, weight_decay=9.0)
    tuners = BacktrackingLineSearch(decayed), BacktrackingLineSearch(sgd(outside.parameters))

    def penalised() -> Tensor:
        lengths = [p.square().sum() for p in outside.parameters]
        return outside.loss() + 4.5 * (lengths[0] + lengths[1])

    for _ in range(4):
        tuners[0].step(inside.loss)
        tuners[1].step(penalised)
        assert tuners[0].learning_rate == tuners[1].learning_rate
        torch.testing.assert_close(inside.point, outside.point, rtol=1e-12, atol=1e-14)


def test_an_infinite_increase_starts_every_search_at_the_largest_rate() -> None:
    problem = Quadratic([100.0, 100.0, 100.0])
    tuner = BacktrackingLineSearch(sgd(problem.parameters), increase=None, decrease=0.5)
    trials = []
    for _ in range(3):
        tuner.step(problem.loss)
        trials.append(tuner.trials)
    # 2⁻⁶ is the first rate below 2/100.
    assert trials == [7, 14, 21]
    assert tuner.learning_rate == 2.0**-6


def test_a_failed_search_stays_and_the_next_one_goes_on_below() -> None:
    problem = Quadratic([1e4, 1e4, 1e4])
    tuner = BacktrackingLineSearch(
        sgd(problem.parameters), increase=1.0, decrease=0.5, max_backtracks=5
    )
    before = problem.point
    tuner.step(problem.loss)
    assert (tuner.learning_rate, tuner.failures) == (0.0, 1)
    assert torch.equal(problem.point, before)
    while tuner.learning_rate == 0:
        tuner.step(problem.loss)
    assert tuner.failures == 2
    assert 0 < tuner.learning_rate < 2e-4  # type: ignore[operator]


def test_a_trial_that_is_not_finite_is_refused() -> None:
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    # log is NaN beyond the wall at 0, which the first trials jump over.
    tuner = BacktrackingLineSearch(sgd([weight]))
    tuner.step(lambda: (8 * weight + 1 / weight.log().exp() - weight.log()).sum())
    assert 0 < weight.item() < 2
    assert tuner.trials > 1


def test_a_smallest_rate_that_is_not_finite_is_not_taken() -> None:
    weight = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    tuner = BacktrackingLineSearch(sgd([weight]), max_backtracks=1, exhausted="smallest")
    tuner.step(lambda: (8 * weight - weight.log()).sum())
    assert (weight.item(), tuner.learning_rate) == (2.0, 0.0)


def test_an_ascent_direction_is_not_searched() -> None:
    problem = Quadratic([1.0, 2.0, 3.0])
    base = momentum(problem.parameters)
    tuner = BacktrackingLineSearch(base, sufficient_decrease=0.5, max_learning_rate=0.1)
    tuner.step(problem.loss)
    for p in problem.parameters:
        base.state[p]["momentum_buffer"].mul_(-100)
    before, trials = problem.point, tuner.trials
    tuner.step(problem.loss)
    assert torch.equal(problem.point, before)
    assert tuner.trials == trials


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sufficient_decrease": 1.0}, "sufficient_decrease is 1"),
        ({"slack": -1.0}, "slack is -1"),
        ({"increase": 0.5}, r"increase is 0\.5"),
        ({"decrease": 1.0}, "decrease is 1"),
        ({"max_learning_rate": math.inf}, "max_learning_rate is inf"),
        ({"max_backtracks": -1}, "max_backtracks is -1"),
        ({"exhausted": "guess"}, "exhausted is guess"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BacktrackingLineSearch(sgd([start()]), **options)
