"""Effects of tuners on runs whose effects are known, and every claim both ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence import tuned
from lrtransfer.study.evidence.claim import load_claims
from lrtransfer.transfer.rules import verdict
from tests.tiny import real_params

from .tuner_frames import tuner_curves, tuner_runs

CDAT = {"name": "cdat", "options": {"sigma": 2.0}}


def known(losses: Any, quantities: Any = None, **options: Any) -> dict[str, pd.DataFrame]:
    runs = tuner_runs(losses, **options)
    return tuned.evidence(runs, tuner_curves(runs, quantities or {}), 0.95)


def test_a_loss_ratio_compares_the_best_rates_seed_by_seed() -> None:
    fits = known({"a": {0.5: 3.0, 1.0: -1.0}, "b": {1.0: 0.5, 2.0: 2.0}})
    found = tuned.loss_ratio(fits, "a", "b")
    assert found is not None
    # The seeds' common shift cancels, and so does their spread.
    assert found == pytest.approx((-1.5, -1.5, -1.5))
    chosen = tuned.loss_ratio(fits, "a", "b", rate=0.5, baseline_rate=2.0)
    assert chosen is not None
    assert chosen.value == pytest.approx(1.0)


def test_the_interval_is_over_the_seeds_differences() -> None:
    fits = known({"a": {1.0: 0.0}, "b": {1.0: 0.0}})
    runs = fits["runs"]
    logs = np.array([0.0, 0.3, 0.9])
    runs.loc[runs["arm"] == "a", "final_loss"] = 2.0 ** (logs + 0.1 * np.arange(3))
    found = tuned.loss_ratio(fits, "a", "b")
    assert found is not None
    half = 4.302652729911275 * logs.std(ddof=1) / math.sqrt(3)
    assert found == pytest.approx((logs.mean(), logs.mean() - half, logs.mean() + half))


def test_a_diverged_run_counts_with_its_initial_loss() -> None:
    fits = known({"a": {1.0: math.inf}, "b": {1.0: 1.0}})
    found = tuned.loss_ratio(fits, "a", "b")
    assert found is not None
    assert found.value == pytest.approx(2.0 - 1.1)


def test_an_absent_arm_or_rate_is_no_effect() -> None:
    fits = known({"a": {1.0: 0.0}})
    assert tuned.loss_ratio(fits, "a", "zzz") is None
    assert tuned.loss_ratio(fits, "a", "a", rate=7.0) is None
    assert tuned.late_mean(fits, "zzz", "rate") is None
    assert tuned.loss_ratio({}, "a", "b") is None


def test_equal_price_reads_the_loss_where_the_baseline_ends() -> None:
    fits = known({"on_edge": {1.0: -4.0}, "constant": {1.0: -1.0}}, tuners={"on_edge": CDAT})
    found = tuned.loss_ratio_at_equal_price(fits, "on_edge", "constant", rate=1.0)
    assert found is not None
    # From 2 (log2 of 4) a third of the way to −4 is 0, against −1: CDAT has lost.
    assert found.value == pytest.approx(1.0 - 0.1 * 2 / 3, abs=1e-9)


def test_equal_price_of_a_diverged_arm_is_its_initial_loss() -> None:
    fits = known({"on_edge": {1.0: math.inf}, "constant": {1.0: -1.0}}, tuners={"on_edge": CDAT})
    found = tuned.loss_ratio_at_equal_price(fits, "on_edge", "constant", rate=1.0)
    assert found is not None
    assert found.value == pytest.approx(3.0 - 0.1)


def test_the_best_sigma_is_twice_the_best_factor() -> None:
    fits = known({"cdat_16": {0.5: 0.0, 1.0: 1.0}, "cdat_256": {0.5: 1.0, 1.0: 0.0}})
    assert tuned.best_sigma(fits, "cdat_16") == pytest.approx((1.0, 1.0, 1.0))
    shift = tuned.sigma_shift(fits, "cdat_256", "cdat_16")
    assert shift == pytest.approx((1.0, 1.0, 1.0))
    none = tuned.shift_difference(fits, ("cdat_256", "cdat_16"), ("cdat_256", "cdat_16"))
    assert none == pytest.approx((0.0, 0.0, 0.0))


def test_a_gain_change_is_told_by_arm_and_by_size() -> None:
    by_arm = known({"none": {0.5: 2.0, 1.0: 0.0}, "large": {0.5: 1.0, 1.0: 0.5}})
    assert tuned.gain_change(by_arm, "none", "large") == pytest.approx((-1.5, -1.5, -1.5))
    narrow = tuner_runs({"on_edge": {0.5: 1.0, 1.0: 1.0}}, width=16)
    wide = tuner_runs({"on_edge": {0.5: 1.0, 1.0: -1.0}}, width=256)
    fits = tuned.evidence(pd.concat([narrow, wide]), pd.DataFrame(), 0.95)
    assert tuned.gain_change(fits, 16, 256) == pytest.approx((2.0, 2.0, 2.0))
    shallow = tuner_runs({"on_edge": {0.5: 1.0, 1.0: 1.0}}, depth=1)
    deep = tuner_runs({"on_edge": {0.5: 1.0, 1.0: -1.0}}, depth=4)
    fits = tuned.evidence(pd.concat([shallow, deep]), pd.DataFrame(), 0.95)
    assert tuned.gain_change(fits, 1, 4) == pytest.approx((2.0, 2.0, 2.0))


def test_curves_tell_growth_fall_rise_level_and_share() -> None:
    fits = known(
        {"a": {1.0: 0.0}, "b": {1.0: 0.0}},
        {
            "a": {
                "rate": (8.0, 0.5),
                "edge_sharpness": (1.0, 16.0),
                "low": (-1.0, -1.0),
                "high": (-2.0, 2.0),
            },
            "b": {"rate": (1.0, 4.0), "low": (0.0, 0.0), "high": (1.0, 1.0)},
        },
    )
    value = {
        "growth": tuned.late_growth(fits, "a", "edge_sharpness"),
        "fall": tuned.fall_from_peak(fits, "a", "rate"),
        "rise": tuned.rise_from_start(fits, "b", "rate"),
        "product": tuned.late_mean(fits, "a", "rate*edge_sharpness"),
        "share": tuned.share(fits, ("a", "b"), "low", "high"),
        "difference": tuned.late_difference(fits, "b", "a", "rate"),
    }
    assert all(found is not None for found in value.values())
    told = {name: found.value for name, found in value.items() if found is not None}
    assert told["growth"] == pytest.approx(3.0)
    assert told["fall"] == pytest.approx(-4.0)
    assert 1.0 < told["rise"] < 2.0
    assert told["product"] == pytest.approx(8.0, rel=5e-3)
    assert told["share"] == pytest.approx((12 / 17 + 1) / 2, abs=0.06)
    assert told["difference"] > 0


def test_arms_on_a_descent_direction_come_first() -> None:
    assert tuned.descending(known({"greedy": {1.0: 0.0}}), "greedy") == "greedy"
    both = known({"greedy": {1.0: 0.0}, "plain_greedy": {1.0: 0.0}})
    assert tuned.descending(both, "greedy") == "plain_greedy"
    assert tuned.descending({}, "greedy") == "greedy"


def world(supports: bool) -> dict[str, dict[str, pd.DataFrame]]:
    """Return, per experiment, evidence in which every claim holds, or none does."""
    s = 1.0 if supports else -1.0
    edge = {0.96875: -1.0 * s, 1.0: -1.0 * s, 1.03125: -1.5 * s, 1.25: 1.0 * s}
    full = {
        "constant": {0.125: 0.0, 0.25: 0.5},
        "line_search": {1.0: 0.5 * s},
        "greedy": {1.0: 0.5 * s},
        "on_edge": edge,
        "polyak": {1.0: -2.5 * s},
        "hypergradient": {0.125: 0.1 if supports else 2.0},
    }
    tuners = {
        "greedy": {"name": "greedy", "options": {}},
        "line_search": {"name": "line_search", "options": {}},
        "on_edge": CDAT,
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
        "on_edge": {
            "rate": (0.02, 0.14) if supports else (0.5, 0.4),
            "update_cosine": (-0.9 * s, -0.9 * s),
            **high,
        },
    }
    if supports:
        curves["greedy"] |= {"one_step_greedy": (-2.0, -2.0), "one_step_on_edge": (-1.0, -1.0)}
        curves["on_edge"] |= {"one_step_greedy": (-2.0, -2.0), "one_step_on_edge": (-1.0, -1.0)}
    else:
        curves["greedy"] |= {
            "one_step_greedy": (-1.0, -1.0),
            "one_step_on_edge": (-2.0, -2.0),
            "edge_sharpness": (16.0, 16.0),
            "edge_alignment": (1.0, 1.0),
        }
        curves["on_edge"] |= {
            "one_step_greedy": (-1.0, -1.0),
            "one_step_on_edge": (-2.0, -2.0),
            "edge_sharpness": (8.0, 60.0),
        }
    references = {"constant": 0.125, "hypergradient": 0.125}
    found: dict[str, Any] = {}
    if supports:
        # At a third of its run CDAT must be below the constant rate's end.
        full["on_edge"] = {rate: value - 10.0 for rate, value in edge.items()}
        full["greedy"] = {1.0: 0.5}
        full["polyak"] = {1.0: -14.0}
        full["on_edge"][1.25] = -1.0
    for name in ("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"):
        found[name] = known(full, curves, tuners=tuners, references=references)
    linear = {"constant": {0.5: 0.0}, "line_search": {1.0: 1.0 - s}, "greedy": {1.0: 1.0 - s}}
    found["tuners_linear"] = known(linear)
    rule = {"constant": {0.125: 0.0}, "sigma_two": {1.0: s}, "sigma_three": {1.0: -s}}
    found["tuners_sharpness_rule"] = known(rule)
    found["tuners_schedules"] = known({"cosine": {1.0: -s}, "on_edge": {1.0: 0.0}})
    near, far = {0.5: 0.0, 1.0: 1.0}, {0.5: 1.0, 1.0: 0.0}
    batch = {
        "cdat_16": {0.5: 0.0, 0.75: 1.0, 1.0: 1.0} if supports else {0.5: 1.0, 0.75: 1.0, 1.0: 0.0},
        "cdat_256": {0.5: 1.0, 0.75: -1.0, 1.0: 1.0} if supports else near,
        "cdat_64": {1.0: 0.0},
        "raw_16": near if supports else far,
        "raw_256": {0.5: 1.0, 1.0: 0.0} if supports else {0.25: 0.0, 1.0: 1.0},
        "constant_16": {1.0: 0.0},
        "constant_256": {1.0: 0.0 if supports else -1.0},
        "cosine_64": {1.0: -s},
        "plain_constant_64": {1.0: 0.0},
        "plain_line_search_64": {1.0: -s},
        "plain_greedy_64": {1.0: -s if supports else 3.0},
    }
    found["tuners_batch"] = known(batch)
    sizes = {"tuners_width": ("width", 16, 256), "tuners_depth": ("depth", 1, 4)}
    for name, (axis, low, high_size) in sizes.items():
        parts = [
            tuner_runs({"on_edge": {0.5: 1.0, 1.0: 1.0 - gain}}, **{axis: size})  # type: ignore[arg-type]
            for size, gain in ((low, 0.0), (high_size, s))
        ]
        found[name] = tuned.evidence(pd.concat(parts), pd.DataFrame(), 0.95)
    decay = {"none": {0.5: 1.0, 1.0: 0.0}, "large": {0.5: 1.0, 1.0: s}}
    found["tuners_decay"] = known(decay)
    found["tuners_data"] = known({"n_64": far, "n_512": far if supports else near})
    return found


@pytest.mark.parametrize(("supports", "expected"), [(True, "supported"), (False, "contradicted")])
def test_every_claim_on_tuners_can_be_decided_both_ways(supports: bool, expected: str) -> None:
    evidence = world(supports)
    # Those of the joint experiment: test_predictors.py.
    claims = [c for c in load_claims() if c.paper == "cdat" and c.experiments != ("joint",)]
    assert len(claims) >= 30
    for claim in claims:
        for name in claim.experiments:
            found = claim.evaluate(evidence[name])
            assert verdict(claim.rule, found) == expected, (claim.id, name, found)


def test_claims_without_evidence_are_undecided() -> None:
    for claim in load_claims():
        if claim.paper == "cdat":
            assert claim.evaluate({}) is None, claim.id


def test_every_claim_on_tuners_has_its_figure_and_its_arms() -> None:
    study = real_params()["study"]
    for claim in load_claims():
        if claim.paper == "cdat":
            for name in claim.experiments:
                assert claim.figure in study[name]["figures"], (claim.id, name)
    arms = {name: set(frames["runs"]["arm"]) for name, frames in world(True).items()}
    for name, asked in arms.items():
        if name in ("tuners_mixer", "tuners_gpt", "tuners_vit", "tuners_convnet"):
            continue  # share the planted arms of the core, of which each has some
        assert asked <= set(study[name]["arms"]), name
    for name in ("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"):
        assert {"constant", "greedy", "on_edge"} <= set(study[name]["arms"])
        own = set(study[name]["arms"])
        for tuner in ("line_search", "greedy", "constant"):
            assert {tuner, f"plain_{tuner}", f"rms_{tuner}"} & own


def test_the_rates_that_claims_name_are_on_every_axis() -> None:
    study = real_params()["study"]
    for name in ("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"):
        axis = study[name]["scales"]["laptop"]["learning_rates"]["on_edge"]
        assert {1.0, 1.03125, 1.25} <= set(axis)
    for name in ("tuners_width", "tuners_depth", "tuners_decay", "tuners_data"):
        for axis in study[name]["scales"]["laptop"]["learning_rates"].values():
            assert {0.5, 1.0} <= set(axis)
    assert {16, 256} <= set(study["tuners_width"]["scales"]["laptop"]["widths"])
    assert {1, 4} <= set(study["tuners_depth"]["scales"]["laptop"]["depths"])
