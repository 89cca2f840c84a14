"""Conditions of claims on weight decay, and what a claim says whose conditions fail."""

from __future__ import annotations

import pandas as pd
import pytest

from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.experiment import fit_experiment
from lrtransfer.study.evidence.ledger import evaluate_claims, table

from . import decay_runs
from .decay_runs import study


@pytest.fixture(scope="module")
def fits() -> dict[str, pd.DataFrame]:
    return fit_experiment(*study())


def test_conditions_name_what_fails() -> None:
    good = fit_experiment(*study(("independent",)))
    row = good["conditions"].set_index("size").loc[128]
    assert row["samples_per_input"] == 16.0
    total = float(decay_runs.rates("independent", 16).sum()) * decay_runs.DECAY
    assert row["total_decay"] == pytest.approx(total)
    assert total > 4
    assert failed(good, "independent") == ""
    few = fit_experiment(*study(("independent",), samples=2047.0))
    assert "16" in failed(few, "independent")
    assert "not measured" in failed(good, "standard")
    assert "not measured" in failed({}, "independent")
    runs, curves = study(("independent",))
    twice = runs.assign(config=runs["config"].str.replace('"one_pass": true', '"one_pass": false'))
    assert "seen twice" in failed(fit_experiment(twice, curves), "independent")


def test_the_widest_net_of_standard_decay_is_judged_by_the_base(
    fits: dict[str, pd.DataFrame],
) -> None:
    row = fits["conditions"].set_index(["arm", "size"]).loc[("standard", 128)]
    assert row["total_decay"] < 4
    assert failed(fits, "standard") == ""


def test_a_claim_whose_condition_fails_is_inconclusive_with_the_reason() -> None:
    good = evaluate_claims("weight_decay", "laptop", fit_experiment(*study()))
    few = evaluate_claims("weight_decay", "laptop", fit_experiment(*study(samples=1000.0)))
    found = {record["id"]: record for record in good}
    spoilt = {record["id"]: record for record in few}
    name = "decay_ratio_loses_width"
    assert (found[name]["verdict"], found[name]["power"]) == ("supported", "decided")
    assert spoilt[name]["verdict"] == "inconclusive"
    assert "Raise the batch to 2048 samples" in spoilt[name]["power"]
    assert spoilt["decay_ratio_starts_with_root_width"]["verdict"] == "supported", "no condition"
    assert spoilt[name]["power"] in table(few)
    lacking = found["decay_fast_embedding_matches"]
    assert (lacking["verdict"], bool(lacking["power"])) == ("inconclusive", True)
