"""What a claim says whose conditions fail: too few samples, too short a run, memorised samples."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from lrtransfer.study.evidence.conditions import UNMEASURED, run_lengths, unmet
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.ledger import ledger, table
from lrtransfer.study.plan.claims import Needs

from .decay_runs import study
from .planted import CLAIMS, around, estimates, on, row, seeds
from .rows import stored

LOW, HIGH = -12.0, -2.0

#: What is asked, the rows of an arm, and what the reason says; nothing where it is met.
CASES: dict[str, tuple[dict[str, float], list[tuple[str, dict[str, Any]]], str]] = {
    "few samples": (
        {"samples_per_input": 16},
        [("samples_per_input", {"value": 64.0, "size": 32}), ("samples_per_input", {"value": 2.0})],
        "sees 2 samples per input of the widest layer (condition: 16)",
    ),
    "samples enough": ({"samples_per_input": 16}, [("samples_per_input", {"value": 16.0})], ""),
    "short of Adam's averages": (
        {"horizons": 1},
        [("horizons", {"value": 0.256})],
        "lasts 0.256 of the 1/(1 − β₂) updates",
    ),
    "as long as Adam's averages": ({"horizons": 1}, [("horizons", {"value": 1.0})], ""),
    "few updates": ({"steps": 8192}, [("updates", {"value": 320})], "320 updates"),
    "updates enough": ({"steps": 8192}, [("updates", {"value": 16384})], ""),
    "memorised at one rate": (
        {"loss": 0.001},
        [("log2_loss", {"value": HIGH, "rate": 1.0}), ("log2_loss", {"value": LOW, "rate": 2.0})],
        "the loss falls to 0.00024 (condition: 0.001)",
    ),
    "not memorised": ({"loss": 0.001}, [("log2_loss", {"value": HIGH, "rate": 1.0})], ""),
    "wide interval": ({"half_width": 0.01}, [], "reaches ±0.02 and the paper's effect is 0.01"),
    "narrow interval": ({"half_width": 0.14}, [], ""),
    "not measured": ({"horizons": 1}, [], UNMEASURED),
}


@pytest.mark.parametrize("case", CASES)
def test_a_condition_that_is_not_met_gives_its_reason(case: str) -> None:
    asked, given, reason = CASES[case]
    rows = [row(name, of.pop("value"), arm="a", **of) for name, of in map(_copied, given)]
    # Another arm, of which the claim is not, fails every condition.
    others = [row(n, LOW, arm="b") for n in ("samples_per_input", "horizons", "updates")]
    own = estimates(
        row("log2_loss", LOW, arm="b", rate=1.0), row("drift", 0.0, arm="a"), *others, *rows
    )
    found = unmet(Needs.model_validate(asked), own, {"arm": "a", "rate": 1.0}, around(0.3), 0.95)
    assert reason in found
    assert bool(found) == bool(reason), found


def _copied(given: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return given[0], dict(given[1])


def test_every_failed_condition_is_named_once() -> None:
    own = estimates(row("updates", 10.0, arm="a"), row("updates", 10.0, arm="b"))
    needs = Needs(steps=20, horizons=1.0, samples_per_input=16.0)
    found = unmet(needs, own, {"arms": ["a", "b"]}, None, 0.95)
    assert found.count("10 updates") == found.count(UNMEASURED) == 1


def test_the_length_of_a_run_is_also_counted_in_horizons_of_its_second_beta() -> None:
    def config(**options: float) -> str:
        return json.dumps({"steps": 256, "optimizer": {"name": "sgd", "options": options}})

    runs = pd.DataFrame({"arm": ["sgd", "adam"], "config": [config(), config(beta2=0.999)]})
    lengths = {(of.arm, of.statistic): own.value for of, own in run_lengths(runs)}
    assert lengths == {
        ("sgd", "updates"): 256,
        ("adam", "updates"): 256,
        ("adam", "horizons"): pytest.approx(0.256),
    }


def test_claims_on_adams_curvature_and_on_ratios_of_memorised_losses_are_left_open() -> None:
    edge = seeds(0.99, 1.0, 1.01)
    adam = [
        row("edge_ratio", edge, arm="mup", at="0.75"),
        row("best_rate", 1.0, arm="mup", size=32),
    ]

    def judged(experiment: str, name: str, rows: list[Any]) -> dict[str, Any]:
        records = ledger({experiment: estimates(*rows)}, list(on(experiment)), scale="laptop")
        return next(record for record in records if record["id"] == name)

    name = "adam_preconditioned_sharpness_reaches_edge"
    for horizons, verdict in ((0.256, "inconclusive"), (1.5, "supported")):
        length = row("horizons", horizons, arm="mup")
        assert judged("width_transfer_adam", name, [*adam, length])["verdict"] == verdict

    name = "tuner_cdat_beats_greedy"
    for level, verdict in ((HIGH, "supported"), (LOW, "inconclusive")):
        losses = [
            row("log2_loss", seeds(own - 0.1, own, own + 0.1), arm=arm, rate=1.0)
            for arm, own in (("cdat", level), ("greedy", 0.0))
        ]
        rows = [*losses, row("best_rate", 1.0, arm="cdat", size=16)]
        record = judged("tuners_convnet", name, rows)
        assert (record["verdict"], record["p_value"] is None) == (verdict, level == LOW)
        assert ("memorised" in record["obstacle"]) == (level == LOW)


def spoilt_by(**options: Any) -> dict[str, dict[str, Any]]:
    own = {"weight_decay": stored(Experiment(*study(**options)).estimates())}
    return {record["id"]: record for record in ledger(own, CLAIMS, scale="laptop")}


def test_a_claim_whose_condition_fails_is_inconclusive_with_the_reason() -> None:
    found, spoilt = spoilt_by(), spoilt_by(samples=1000.0)
    name = "decay_ratio_loses_width"
    assert (found[name]["verdict"], found[name]["power"]) == ("supported", "decided")
    assert (spoilt[name]["verdict"], spoilt[name]["p_value"]) == ("inconclusive", None)
    assert "Raise the batch to 2048 samples" in spoilt[name]["power"]
    # At the first update the batch alone counts.
    start = "decay_ratio_starts_with_root_width"
    assert found[start]["verdict"] == "supported"
    assert spoilt[start]["verdict"] == "inconclusive"
    assert "7.81 samples per input" in spoilt[start]["obstacle"]
    assert spoilt[name]["power"] in table(list(spoilt.values()))
    lacking = found["decay_fast_embedding_matches"]
    assert (lacking["verdict"], bool(lacking["power"])) == ("inconclusive", True)
