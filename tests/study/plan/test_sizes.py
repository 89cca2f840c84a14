"""Batch and duration as axes: which runs they make, and what rules do at the base."""

from __future__ import annotations

from typing import Any

from lrtransfer.study.plan.expand import Plan
from lrtransfer.study.plan.sizes import loss_window, size_of
from tests.tiny import EXPERIMENT, tiny_grid, tiny_params, tiny_plan

#: The base has 6 steps of 8 samples.
LENGTH: dict[str, Any] = {"batch_size": 8, "steps": 6, "widths": [4]}


def content_with(*without: str, **changes: Any) -> dict[str, Any]:
    """Return the tiny study at one width with a changed grid, spectra and more left out."""
    content = tiny_params()
    grid = tiny_grid(content)
    grid.update(LENGTH | changes)
    for field in ("spectra", *without):
        del grid[field]
    return content


def tiny(*without: str, **changes: Any) -> Plan:
    return tiny_plan(content_with(*without, **changes))


def keys(of: Plan, arm: str, batch: int, duration: int) -> set[str]:
    return {r.key for r in of.runs if (r.arm, r.batch, r.duration) == (arm, batch, duration)}


def test_runs_of_every_batch_see_as_many_samples() -> None:
    made = tiny(batches=[4, 8, 16])
    lengths = {(run.batch, run.config.steps) for run in made.runs}
    assert lengths == {(4, 12), (8, 6), (16, 3)}
    assert len(made.sweeps) == 3 * len({sweep.name.split("/")[1] for sweep in made.sweeps})
    assert len({sweep.name for sweep in made.sweeps}) == len(made.sweeps)
    assert size_of(made.grid(EXPERIMENT)) == ("batch", [4, 8, 16])


def test_runs_of_every_duration_have_one_batch() -> None:
    made = tiny(durations=[24, 48, 96])
    assert {(r.batch, r.duration, r.config.steps) for r in made.runs} == {
        (8, 24, 3),
        (8, 48, 6),
        (8, 96, 12),
    }
    assert size_of(made.grid(EXPERIMENT)) == ("duration", [24, 48, 96])


def test_the_base_is_the_run_that_it_is_without_an_axis() -> None:
    alone = keys(tiny(), "mup", 8, 48)
    assert alone
    assert alone == keys(tiny(batches=[4, 8]), "mup", 8, 48)
    assert alone == keys(tiny(durations=[24, 48]), "mup", 8, 48)


def test_a_rule_starts_from_the_arms_own_length_and_changes_nothing_there() -> None:
    adamw = {"optimizer": {"adamw": {"weight_decay": 0.1}}, "batches": [8, 16]}
    plain, ruled = tiny("measure", **adamw), tiny("measure", **adamw, horizon={"rule": "sde"})
    assert keys(plain, "mup", 8, 48) == keys(ruled, "mup", 8, 48)
    assert not keys(plain, "mup", 16, 48) & keys(ruled, "mup", 16, 48)
    (by,) = {run.config.horizon for run in ruled.runs if run.batch == 16}
    assert by is not None
    assert (by.rule, by.batch, by.duration) == ("sde", 2.0, 1.0)


def test_curvature_and_final_loss_are_of_the_same_shares_of_every_run() -> None:
    made = tiny(batches=[4, 16])
    grid = made.grid(EXPERIMENT)
    assert [loss_window(grid, "mup", steps) for steps in (12, 6, 3, 1)] == [6, 3, 2, 1]
    last = {r.config.steps: r.config.measure.steps for r in made.runs if r.config.measure}
    assert {steps: max(at or ()) for steps, at in last.items()} == {12: 12, 3: 3}


def test_smoke_takes_the_smallest_and_makes_them_smaller() -> None:
    smaller = {"from": "laptop", "sizes": 2, "seeds": 1, "rates": 3, "points": 4}
    smaller |= {"steps": "1/2", "batch_size": "1/4", "samples": "1/4"}
    for axis, sizes, wanted in (
        ("batches", [4, 8, 16], {(1, 16), (2, 16)}),
        ("durations", [128, 256, 512], {(2, 16), (2, 32)}),
    ):
        content = content_with(steps=16, **{axis: sizes})
        content |= {"scale": "smoke", "defaults": {"scales": {"smoke": smaller}}}
        assert {(run.batch, run.duration) for run in tiny_plan(content).runs} == wanted
