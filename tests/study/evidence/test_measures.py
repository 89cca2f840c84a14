"""Every measure on a few estimates, with the answer worked out by hand."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.study.evidence.estimates import Estimates
from lrtransfer.study.evidence.measure import every_measure
from lrtransfer.transfer.estimate import Estimate, Part, Unit, of_shares

from .planted import around, estimates, row, seeds

MEASURES = every_measure()
POOLED = 0
LATE = {"quantity": "weight_rms", "at": "late"}

# Measure, options, rows, value: one case each, and a second where an option changes what is asked.
CASES: list[tuple[str, dict[str, Any], list[Any], float]] = [
    ("drift", {"arm": "a"}, [row("drift", 0.5, arm="a"), row("drift", 9, arm="b")], 0.5),
    ("drift", {"arm": "a", "minus": "b"}, [row("drift", 0.5, arm="a"), row("drift", 2, arm="b")], -1.5),
    ("drift_over_range", {"arm": "a"}, [row("drift", 0.5, arm="a"), *(row("optimum", 9, arm="a", size=s) for s in (16, 32, 128))], 1.5),
    ("drift_over_range", {"arm": "a"}, [row("drift", 0.5, arm="a"), *(row("optimum", 9, arm="a", size=s) for s in (16, 32, 128)), row("optimum", float("nan"), arm="a", size=1024)], 1.5),
    ("best_loss", {"arm": "a", "minus": "b"}, [row("log2_loss", seeds(v, v + 1), arm=arm, size=s, rate=r) for v, arm, s, r in ((3, "a", 64, 0.5), (-1, "a", 64, 1.0), (-9, "a", 32, 0.5), (2, "b", 64, 1.0), (1.5, "b", 64, 2.0))], -2.5),
    ("optimum", {"arm": "a", "minus": "b"}, [row("optimum", 2, arm="a", size=32), row("optimum", 3, arm="a", size=64), row("optimum", 0, arm="b", size=32), row("optimum", 0.5, arm="b", size=64), row("optimum", 99, arm="b", size=128)], 2.25),
    ("regret", {"arm": "a"}, [row("regret", 0, arm="a", size=32, at="reference"), row("regret", 0.3, arm="a", size=64)], 0.3),
    ("regret", {"arm": "a", "minus": "b"}, [row("regret", 0, arm="a", size=32, at="reference"), row("regret", 0.3, arm="a", size=64), row("regret", 0.1, arm="b", size=64), row("regret", 7, arm="b", size=128)], 0.2),
    ("distance_growth", {"arm": "a", "quantity": "ntk"}, [row("distance_growth", v, arm="a", quantity="ntk", size=s) for v, s in ((0.7, POOLED), (9, 32))], 0.7),
    ("overlap", {"arm": "a", "quantity": "ntk"}, [row("overlap", v, arm="a", quantity="ntk", size=s) for v, s in ((0.2, POOLED), (9, 32))], 0.2),
    ("trend", {"arm": "a", "quantity": "ntk", "at": "end"}, [row("trend", v, arm="a", quantity="ntk", at=at) for v, at in ((9, "start"), (-0.5, "end"))], -0.5),
    ("fall", {"arm": "a", "quantity": "ntk"}, [row("fall", v, arm="a", quantity="ntk", size=s) for v, s in ((-1.5, POOLED), (9, 32))], -1.5),
    ("change", {"arm": "a", "quantity": "ntk"}, [row("change", v, arm="a", quantity="ntk", size=s) for v, s in ((1.5, POOLED), (9, 32))], 1.5),
    ("edge_ratio", {"arm": "a", "window": [0.125, 0.5]}, [row("edge_ratio", seeds(v, v + 1, v), arm="a", quantity="sharpness", size=s, at=at) for v, s, at in ((9, POOLED, "0.1"), (1, POOLED, "0.125"), (2, POOLED, "0.5"), (9, POOLED, "1"), (9, 32, "0.5"))], 1.5 + 1 / 3),
    ("stochastic_edge_ratio", {"arm": "a", "window": [0.5, 1]}, [row("stochastic_edge_ratio", seeds(v, v), arm="a", quantity="batch_sharpness", size=s, at=at) for v, s, at in ((9, POOLED, "0.25"), (1, POOLED, "0.5"), (2, POOLED, "1"), (9, 32, "1"))], 1.5),
    ("slope", {"arm": "a", **LATE}, [row("slope", v, arm="a", quantity="weight_rms", at=at) for v, at in ((9, "start"), (0.25, "late"))], 0.25),
    ("level", {"arm": "a", **LATE}, [row("level", v, arm="a", size=s, **LATE) for v, s in ((9, 32), (0.75, 64))], 0.75),
    ("ratio_to_first", {"arm": "a", "quantity": "weight_rms"}, [row("difference", v, arm="a", baseline="b", size=s, **LATE) for v, s in ((9, 32), (0.5, 64))], 0.5),
    ("loss_over_first", {"arm": "a"}, [row("difference", v, arm="a", quantity="final_loss", at="late", size=s) for v, s in ((9, 32), (0.1, 64))], 0.1),
    ("loss_over_first", {"arm": "a", "minus": "b"}, [row("difference", v, arm=arm, quantity="final_loss", at="late", size=64) for v, arm in ((0.1, "a"), (0.4, "b"))], -0.3),
    ("warmup_deviation", {}, [row("warmup_deviation", v, arm="a", size=s) for v, s in ((9, 32), (0.4, 64))], 0.4),
    ("warmup_delay", {}, [row("warmup_delay", v, arm="a", size=s) for v, s in ((9, 32), (-0.9, 64))], -0.9),
    ("warmup_left", {}, [row("warmup_left", v, arm="a", size=s) for v, s in ((9, 32), (0.2, 64))], 0.2),
    ("predicted_drift", {"arm": "a", "quantity": "ntk", "at": "late"}, [row("predicted_drift", v, arm="a", quantity="ntk", at=at) for v, at in ((9, "whole"), (0.3, "late"))], 0.3),
    ("rank_correlation", {"quantity": "ntk", "at": "late"}, [row("rank_correlation", v, quantity="ntk", at=at) for v, at in ((9, "whole"), (0.6, "late"))], 0.6),
    ("rank_correlation_difference", {"quantity": "ntk", "at": "late", "than": "weight_rms", "than_at": "whole"}, [row("rank_correlation_difference", v, quantity="ntk", at="late", baseline=b) for v, b in ((0.2, "weight_rms whole"), (9, "weight_rms late"))], 0.2),
    # The mean decides which rate is best: 1.0 of a (−1), 2.0 of b (0.5).
    ("loss_ratio", {"arm": "a", "over": "b"}, [row("log2_loss", seeds(v, v + 1), arm=arm, rate=r) for v, arm, r in ((3, "a", 0.5), (-1, "a", 1.0), (0.5, "b", 2.0), (4, "b", 4.0))], -1.5),
    ("loss_ratio", {"arm": "a", "over": "b", "rate": 0.5, "over_rate": 4.0}, [row("log2_loss", seeds(v, v + 1), arm=arm, rate=r) for v, arm, r in ((3, "a", 0.5), (-1, "a", 1.0), (0.5, "b", 2.0), (4, "b", 4.0))], -1.0),
    ("loss_ratio", {"arm": "a", "over": "b", "minus": ["c", "d"]}, [row("log2_loss", seeds(v, v + 1), arm=arm, rate=1.0) for v, arm in ((1, "a"), (2, "b"), (4, "c"), (8, "d"))], 3.0),
    ("loss_ratio_at_equal_price", {"arm": "a", "over": "b"}, [row("log2_loss", seeds(-4, -4), arm="a", rate=1.0), row("log2_loss", seeds(-1, -1), arm="b", rate=0.5), row("log2_loss_at_price", seeds(0, 0), arm="a", baseline="b", rate=1.0), row("log2_loss_at_price", seeds(9, 9), arm="a", baseline="c", rate=1.0)], 1.0),
    ("edge_gain", {"arm": "a"}, [row("log2_loss", seeds(v, v), arm="a", rate=r) for v, r in ((2, 0.5), (0.5, 1.0), (-9, 2.0))], 1.5),
    ("edge_gain", {"arm": "a", "minus": "b"}, [row("log2_loss", seeds(v, v), arm=arm, rate=r) for v, arm, r in ((2, "a", 0.5), (0.5, "a", 1.0), (4, "b", 0.5), (0, "b", 1.0))], -2.5),
    ("edge_gain_growth", {"arm": "a", "large": 64, "small": 16}, [row("log2_loss", seeds(v, v), arm="a", size=s, rate=r) for v, s, r in ((1, 16, 0.5), (1, 16, 1.0), (1, 64, 0.5), (-1, 64, 1.0), (9, 32, 1.0))], 2.0),
    ("sigma_shift", {"arm": "a", "against": "b"}, [row("best_rate", seeds(1.0, 1.0), arm="a"), row("best_rate", seeds(0.5, 1.0), arm="b")], 0.5),
    ("sigma_shift", {"arm": "a", "against": "b", "minus": ["c", "d"]}, [row("best_rate", seeds(v, v), arm=arm) for v, arm in ((1.0, "a"), (0.5, "b"), (0.75, "c"), (1.0, "d"))], 1.5),
    ("late_mean", {"arm": "a", "quantity": "rate"}, [row("late_mean", seeds(1, 2), arm="a", quantity="rate")], 1.5),
    ("late_mean", {"arm": "a", "quantity": "rate", "minus": "b"}, [row("late_mean", seeds(1, 2), arm="a", quantity="rate"), row("late_mean", seeds(0, 1), arm="b", quantity="rate")], 1.0),
    ("late_growth", {"arm": "a", "quantity": "rate"}, [row("late_growth", seeds(1, 2), arm="a", quantity="rate")], 1.5),
    ("fall_from_peak", {"arm": "a", "quantity": "rate"}, [row("fall_from_peak", seeds(-1, -2), arm="a", quantity="rate")], -1.5),
    ("rise_from_start", {"arm": "a", "quantity": "rate"}, [row("rise_from_start", seeds(1, 3), arm="a", quantity="rate")], 2.0),
    ("share_below", {"arms": ["a", "b"], "quantity": "x<y"}, [row("share_below", of_shares([Unit(0, 0, v), Unit(1, 0, 1.0)], 40), arm=arm, quantity="x<y") for v, arm in ((0.5, "a"), (0.9, "b"))], 0.85),
]  # fmt: skip
# ruff: noqa: E501


@pytest.mark.parametrize(("name", "options", "rows", "value"), CASES)
def test_a_measure_is_what_its_words_say(name: str, options: Any, rows: Any, value: float) -> None:
    found = MEASURES[name](estimates(*rows), **options)
    assert found is not None
    assert found.value == pytest.approx(value)
    assert math.isfinite(found.half_width(0.05))


@pytest.mark.parametrize(("name", "options", "rows", "value"), CASES)
def test_a_measure_of_what_was_not_estimated_is_none(
    name: str, options: Any, rows: Any, value: float
) -> None:
    assert MEASURES[name](estimates(row("another", 1.0, arm="z")), **options) is None


def test_every_measure_has_a_case_and_every_file_a_measure() -> None:
    assert {name for name, *_ in CASES} == set(MEASURES)
    folder = Path(inspect.getfile(MEASURES["drift"].function)).parent
    files = {Path(inspect.getfile(measure.function)) for measure in MEASURES.values()}
    assert files == set(folder.glob("[!_]*.py"))


@pytest.mark.parametrize(("name", "options", "rows", "value"), CASES)
def test_words_name_options_axis_and_unit(name: str, options: Any, rows: Any, value: float) -> None:
    words = MEASURES[name].words(options, "depth")
    assert "{" not in words and "width" not in words
    if "minus" in options:
        assert "minus that of" in words


def test_words_read_as_a_line_of_the_ledger() -> None:
    found = MEASURES["drift"].words({"arm": "half_k2", "minus": "half_k1"}, "depth")
    assert found == (
        "drift of the best learning rate of half k2, minus that of half k1, octaves per octave of "
        "depth"
    )
    found = MEASURES["loss_ratio"].words({"arm": "cdat", "over": "constant", "rate": 1.0}, "width")
    assert found == "final loss of cdat over that of constant, at rates 1.0 and best, octaves"


def of(name: str, own: Estimates, **options: Any) -> Estimate:
    found = MEASURES[name](own, **options)
    assert found is not None
    return found


def test_a_difference_of_arms_without_common_seeds_is_that_of_independent_estimates() -> None:
    own = estimates(
        row("drift", around(0.5, 0.3), arm="a"), row("drift", around(0.1, 0.4), arm="b")
    )
    width = of("drift", own, arm="a").half_width(0.05)
    assert of("drift", own, arm="a", minus="b").half_width(0.05) == pytest.approx(width * 5 / 3)


@pytest.mark.parametrize(
    ("name", "options", "where"),
    [
        ("overlap", {"quantity": "ntk"}, {"size": POOLED, "quantity": "ntk"}),
        ("late_mean", {"quantity": "rate"}, {"size": 64, "quantity": "rate"}),
        ("slope", {"quantity": "weight_rms", "at": "late"}, LATE),
    ],
)
def test_what_seeds_share_cancels_between_arms(
    name: str, options: dict[str, Any], where: dict[str, Any]
) -> None:
    rows = [row(name, seeds(v, v + 5, v + 9), arm=arm, **where) for v, arm in ((1, "a"), (0, "b"))]
    found = of(name, estimates(*rows), arm="a", minus="b", **options)
    assert found.interval(0.95) == pytest.approx((1.0, 1.0, 1.0), abs=1e-5)


def test_slopes_of_two_arms_are_paired_by_seed_and_size() -> None:
    units = [Unit(seed, size, math.log2(size) * (seed + 1)) for size in (32, 64) for seed in (0, 1)]
    drift = Estimate(1.5, (Part(9.0, 2),), units=tuple(units))
    steeper = replace(
        drift,
        value=2.5,
        units=tuple(Unit(u.seed, u.size, u.value + math.log2(u.size)) for u in units),
    )
    own = estimates(row("drift", steeper, arm="a"), row("drift", drift, arm="b"))
    found = of("drift", own, arm="a", minus="b")
    assert found.interval(0.95) == pytest.approx((1.0, 1.0, 1.0), abs=1e-5)


def test_a_share_of_all_steps_of_two_arms_has_the_trials_of_both() -> None:
    units = [Unit(seed, 0, 1.0) for seed in range(3)]
    rows = [row("share_below", of_shares(units, 60), arm=arm, quantity="x<y") for arm in "ab"]
    found = of("share_below", estimates(*rows), arms=["a", "b"], quantity="x<y")
    assert found.interval(0.95) == of_shares(units, 120).interval(0.95)
    assert found.interval(0.95).low < 0.98


def test_what_seeds_share_cancels_between_tuners() -> None:
    rows = [
        row("log2_loss", seeds(v, v + 5, v + 9), arm=arm, rate=1.0)
        for v, arm in ((1, "a"), (0, "b"))
    ]
    found = of("loss_ratio", estimates(*rows), arm="a", over="b").interval(0.95)
    assert found == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


def test_sizes_average_the_scatter_of_an_optimum_s_shift() -> None:
    deviations = {32: (0.3, 0.4), 64: (0.6, 0.8)}
    own = estimates(
        *(row("optimum", around(0.0, d), arm=arm, size=size)
          for size, both in deviations.items() for arm, d in zip("ab", both, strict=True))
    )  # fmt: skip
    one = Estimate(0.0, (Part(1.0, float("inf")),)).half_width(0.05)
    assert of("optimum", own, arm="a", minus="b").half_width(0.05) == pytest.approx(
        math.hypot(0.5, 1.0) / 2 * one
    )


def test_a_censored_optimum_leaves_the_shift_open() -> None:
    censored = Estimate(3.0, (Part(0.01, 4),), open_high=True)
    own = estimates(
        row("optimum", censored, arm="a", size=32), row("optimum", 0.0, arm="b", size=32)
    )
    found = of("optimum", own, arm="a", minus="b").interval(0.95)
    assert found.high == math.inf and math.isfinite(found.low)


def test_regret_needs_a_net_larger_than_the_one_whose_optimum_is_used() -> None:
    reference = row("regret", 0.0, arm="a", size=32, at="reference")
    assert MEASURES["regret"](estimates(reference), arm="a") is None
    apart = estimates(reference, row("regret", 1.0, arm="b", size=64))
    assert MEASURES["regret"](apart, arm="a", minus="b") is None


@pytest.mark.parametrize("name", ["drift", "trend", "slope"])
def test_an_ambiguous_claim_is_refused(name: str) -> None:
    options: dict[str, Any] = {"quantity": "ntk", "at": "late"} if name != "drift" else {}
    twice = estimates(*(row(name, 1.0, arm="a", fixed=f, **options) for f in (2, 3)))
    with pytest.raises(ValueError, match="2 rows of"):
        MEASURES[name](twice, arm="a", **options)


def test_kinds_say_what_more_of_would_help() -> None:
    kinds: dict[str, Callable[[str], bool]] = {
        "slope": lambda unit: unit.startswith("octaves per octave"),
        "mean": lambda unit: not unit.startswith("octaves per octave"),
        "arms": lambda unit: unit == "1",
    }
    for name, measure in MEASURES.items():
        assert kinds[measure.kind](measure.unit), name
