"""Verdicts of the curvature benchmark, on made-up prices; no other package is needed."""

from typing import Any

import pytest

from benchmarks.verdicts import rows

Row = dict[str, Any]


def answer(solver: str, setting: str, price: float, **more: Any) -> Row:
    """Return a right answer to the first problem, as `benchmarks.solvers` reports it."""
    return {
        "network": "mlp",
        "state": "initial",
        "quantity": "top 1",
        "solver": solver,
        "setting": setting,
        "default": setting == "default",
        "gradient_evaluations": price,
        "error": 1e-4,
        "right": True,
        "over_floor": 1.2,
        "products_over_floor": 1.1,
        **more,
    }


def verdict(compared: list[Row], start: str) -> Row:
    (found,) = (row for row in rows(compared) if row["criterion"].startswith(start))
    return found


OURS = answer("lrtransfer", "default", 20.0)


def test_the_cheapest_right_setting_counts_and_a_wrong_one_does_not() -> None:
    wrong = answer("peer", "fast", 5.0, right=False)
    found = verdict(
        [OURS, wrong, answer("peer", "default", 120.0), answer("peer", "tuned", 28.0)],
        "cold, over the cheapest right peer setting",
    )
    assert found["smallest"] == pytest.approx(1.4)
    assert not found["reached"]


def test_defaults_are_compared_with_defaults_alone() -> None:
    peers = [answer("peer", "default", 120.0), answer("peer", "tuned", 28.0)]
    found = verdict([OURS, *peers], "cold, over the cheapest right peer default")
    assert found["smallest"] == pytest.approx(6.0)
    assert found["reached"]


def test_a_problem_that_no_peer_solves_is_named() -> None:
    failed = {"right": False, "failed": "NotImplementedError: group norm"}
    peer = {k: v for k, v in OURS.items() if k not in ("gradient_evaluations", "error")}
    found = verdict(
        [OURS, peer | {"solver": "peer"} | failed], "cold, over the cheapest right peer setting"
    )
    assert found["no_right_peer"] == ["mlp, initial"]
    assert "reached" not in found


def test_a_wrong_answer_of_ours_is_named() -> None:
    found = verdict([OURS | {"right": False, "error": 0.5}], "no wrong answer")
    assert not found["reached"]
    assert found["wrong"] == ["mlp, initial, top 1: 0.5"]


def test_warm_prices_count_above_the_overlap_only() -> None:
    near = answer("lrtransfer", "default", 14.0, quantity="top 1, warm", overlap=0.99)
    far = answer("lrtransfer", "default", 30.0, quantity="top 1, warm", overlap=0.5)
    found = verdict([OURS, near, far], "warm at overlap")
    assert found["largest"] == 14.0
    assert not found["reached"]


def test_the_largest_ratio_to_the_floor_decides() -> None:
    other = OURS | {"network": "gpt", "over_floor": 1.5}
    found = verdict([OURS, other], "top 1: over_floor")
    assert found["largest"] == 1.5
    assert found["reached_on"] == "1 of 2"
    assert not found["reached"]
