"""Every claim on tuners, on runs in which it holds and on runs in which it does not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from lrtransfer.study.evidence.dynamics import dynamics
from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.final_losses import final_losses, losses_at_equal_price
from lrtransfer.study.evidence.measured import measured_curves
from lrtransfer.study.plan.load import load_study
from tests.tiny import PARAMS

from .planted import CLAIMS, judged
from .rows import stored
from .tuner_frames import tuner_curves, tuner_runs

CDAT = {"name": "cdat", "options": {"sigma": 2.0}}


def known(losses: Any, quantities: Any = None, **options: Any) -> Estimates:
    """Return the estimates of planted losses and courses."""
    runs = tuner_runs(losses, **options)
    return of_runs(runs, tuner_curves(runs, quantities or {}))


def of_runs(runs: pd.DataFrame, curves: pd.DataFrame) -> Estimates:
    """Return the estimates that claims on tuners read."""
    rows = [*final_losses(runs), *losses_at_equal_price(runs, curves)]
    return stored([*rows, *dynamics(measured_curves(runs, curves))])


def world(supports: bool) -> dict[str, Estimates]:
    """Return, per experiment, evidence in which every claim holds, or none does."""
    s = 1.0 if supports else -1.0
    edge = {0.96875: -1.0 * s, 1.0: -1.0 * s, 1.03125: -1.5 * s, 1.25: 1.0 * s}
    full = {
        "constant": {0.125: 0.0, 0.25: 0.5},
        "line_search": {1.0: 0.5 * s},
        "greedy": {1.0: 0.5 * s},
        "cdat": edge,
        "polyak": {1.0: -2.5 * s},
        "hypergradient": {0.125: 0.1 if supports else 2.0},
    }
    tuners = {
        "greedy": {"name": "greedy", "options": {}},
        "line_search": {"name": "line_search", "options": {}},
        "cdat": CDAT,
    }
    high = {"edge_sharpness": (115.0, 15.5), "edge_alignment": (0.9, 0.9)}
    curves = {
        "constant": {"rate": (0.125, 0.125), "edge_sharpness": (16.0, 16.0 if supports else 90.0)},
        "greedy": {
            "rate": (1.0, 0.01 if supports else 1.0),
            "edge_sharpness": (2.0, 150.0 if supports else 2.01),
            "update_cosine": (0.5 * s, 0.5 * s),
            "edge_alignment": (0.5, 0.5),
        },
        "cdat": {
            "rate": (0.02, 0.14) if supports else (0.5, 0.4),
            "update_cosine": (-0.9 * s, -0.9 * s),
            **high,
        },
    }
    if supports:
        curves["greedy"] |= {"one_step_greedy": (-2.0, -2.0), "one_step_on_edge": (-1.0, -1.0)}
        curves["cdat"] |= {"one_step_greedy": (-2.0, -2.0), "one_step_on_edge": (-1.0, -1.0)}
    else:
        curves["greedy"] |= {
            "one_step_greedy": (-1.0, -1.0),
            "one_step_on_edge": (-2.0, -2.0),
            "edge_sharpness": (16.0, 16.0),
            "edge_alignment": (1.0, 1.0),
        }
        curves["cdat"] |= {
            "one_step_greedy": (-1.0, -1.0),
            "one_step_on_edge": (-2.0, -2.0),
            "edge_sharpness": (8.0, 60.0),
        }
    references = {"constant": 0.125, "hypergradient": 0.125}
    found: dict[str, Any] = {}
    if supports:
        # At a third of its run CDAT must be below the constant rate's end.
        full["cdat"] = {rate: value - 10.0 for rate, value in edge.items()}
        full["greedy"] = {1.0: 0.5}
        full["polyak"] = {1.0: -14.0}
        full["cdat"][1.25] = -1.0
    nets = ("tuners", "tuners_long", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit")
    for name in nets:
        found[name] = known(full, curves, tuners=tuners, references=references)
    linear = {"constant": {0.5: 0.0}, "line_search": {1.0: 1.1 - s}, "greedy": {1.0: 1.1 - s}}
    found["tuners_linear"] = known(linear)
    rule = {"constant": {0.125: 0.0}, "sigma_two": {1.0: s}, "sigma_three": {1.0: -s}}
    found["tuners_sharpness_rule"] = known(rule)
    found["tuners_schedules"] = known({"cosine": {1.0: -s}, "cdat": {1.0: 0.0}})
    far = {0.5: 2.0, 0.96875: 0.3, 1.0: 0.0, 1.03125: 0.3}
    near = {0.25: 1.0, 0.28125: 0.0, 0.3125: 1.0, 1.0: 3.0}
    batch = {
        "cdat_16": near if supports else {0.4375: 1.0, 0.46875: 0.0, 0.5: 1.0},
        "cdat_256": {0.5: 1.0, 0.75: -1.0, 0.8: 1.0} if supports else near,
        "cdat_64": {1.0: 0.0},
        "raw_16": near if supports else far,
        "raw_256": far if supports else near,
        "constant_16": {1.0: 0.0},
        "constant_256": {1.0: 0.0 if supports else -1.0},
        "cosine_64": {1.0: -s},
        "plain_constant_64": {1.0: 0.0},
        "plain_line_search_64": {1.0: -s},
        "plain_greedy_64": {1.0: -0.9 if supports else 3.0},
    }
    found["tuners_batch"] = known(batch)
    constants = {"constant_64": {1.0: 0.0}, "constant_256": {1.0: 0.0}}
    vit = {"cdat_64": {1.0: 0.0}, "cdat_256": {1.0: -s}, "cosine_64": {1.0: -s}}
    found["tuners_batch_vit"] = known(constants | vit)
    sizes = {"tuners_width": ("width", 16, 256), "tuners_depth": ("depth", 1, 4)}
    for name, (axis, low, high_size) in sizes.items():
        parts = [
            tuner_runs({"cdat": {0.5: 1.0, 1.0: 1.0 - gain}}, **{axis: size})  # type: ignore[arg-type]
            for size, gain in ((low, 0.0), (high_size, s))
        ]
        runs = pd.concat(parts)
        found[name] = of_runs(runs, tuner_curves(runs, {}))
    decay = {"none": {0.5: 1.0, 1.0: 0.0}, "large": {0.5: 1.0, 1.0: s}}
    found["tuners_decay"] = known(decay)
    found["tuners_data"] = known({"n_64": far, "n_512": far if supports else near})
    return found


@pytest.mark.parametrize(("supports", "expected"), [(True, "supported"), (False, "contradicted")])
def test_every_claim_on_tuners_can_be_decided_both_ways(supports: bool, expected: str) -> None:
    own = world(supports)
    claims = [c for c in CLAIMS if c.entry.experiments[0].startswith("tuners")]
    assert len(claims) == 36
    for claim in claims:
        for name in claim.entry.experiments:
            assert judged(claim, own[name]) == expected, (claim.id, name)


def test_the_rates_that_claims_name_are_on_every_axis() -> None:
    grids = {name: own.scales["laptop"] for name, own in load_study(PARAMS).study.items()}
    for name in ("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"):
        assert {1.0, 1.03125, 1.25} <= set(grids[name].learning_rates["cdat"])
    for name in ("tuners_width", "tuners_depth", "tuners_decay", "tuners_data"):
        for axis in grids[name].learning_rates.values():
            assert {0.5, 1.0} <= set(axis)
    assert {16, 256} <= set(grids["tuners_width"].widths)
    assert {1, 4} <= set(grids["tuners_depth"].depths)
