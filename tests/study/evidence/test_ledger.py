import json

import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.experiment import fit_experiment
from lrtransfer.study.evidence.ledger import evaluate_claims, table

from .frames import make_curves, make_runs, parabola

EXPERIMENT = "width_transfer_vision"
FIELDS = [
    "id",
    "paper",
    "statement",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "rule",
    "verdict",
    "p_value",
    "power",
    "seeds_needed",
    "sizes_needed",
    "scale",
    "experiment",
    "figure",
]
WIDTHS = (32, 64, 128, 256)
STEPS = [0, *np.unique(np.round(np.geomspace(1, 256, 16))).astype(int)]
#: arm: drift of the optimum, grid, log2 of the reference rate, width exponent of the sharpness.
ARMS = {
    "mup": (0.0, range(-3, 4), 0, 0.0),
    "ntp": (0.5, range(1, 9), 4, -0.4),
    "sp": (-0.5, range(-8, 0), -4, 0.4),
}


def planted(sign, seeds=(0, 1, 2)):
    """A study in which every claim holds (sign 1), or in which all is the other way round (-1)."""
    rng = np.random.default_rng(0)
    runs, curves = [], []
    for arm, (drift, grid, reference, exponent) in ARMS.items():
        moved = sign * drift if arm != "mup" else (0.0 if sign > 0 else 0.5)
        middle = reference + 0.2

        def optimum(width, seed, moved=moved, middle=middle):
            return middle + moved * np.log2(width / 90) + 0.02 * (seed - 1)

        def sharpness(width, seed, t, exponent=exponent, reference=reference):
            edge = 2 / 2.0**reference * (width / 90) ** (sign * exponent)
            if sign < 0 and ARMS["mup"][3] == exponent:
                edge = edge * (3 + (256 - width) / 256 * t)
            return edge * (t + 2) / (t + 2.2) * (1 + 0.01 * rng.normal(size=len(t)))

        def growing(width, seed, t, arm=arm):
            gap = (256 / width - 1) * 0.01 * (1.0 + t) ** (0.7 * sign)
            return 3 + gap * (1 + 0.05 * (seed - 1)) + 1e-4 * rng.normal(size=len(t))

        of_arm = make_runs(
            parabola(optimum, 0.15), arm=arm, sizes=WIDTHS, seeds=seeds, grid=grid,
            reference=reference,
        )  # fmt: skip
        runs.append(of_arm)
        curves.append(
            make_curves(of_arm, STEPS, sharpness=sharpness, subset_loss=growing, ntk=growing)
        )
    return fit_experiment(pd.concat(runs), pd.concat(curves))


@pytest.fixture(scope="module")
def supporting():
    return evaluate_claims(EXPERIMENT, "laptop", planted(1))


def test_a_study_that_agrees_with_the_paper_supports_every_claim(supporting):
    verdicts = {r["id"]: r["verdict"] for r in supporting}
    noisy = "mup_sharpness_distance_does_not_grow"
    assert verdicts.pop(noisy) in {"supported", "inconclusive"}
    assert set(verdicts.values()) == {"supported"}, verdicts


def test_a_study_that_disagrees_contradicts_every_claim():
    verdicts = {r["id"]: r["verdict"] for r in evaluate_claims(EXPERIMENT, "laptop", planted(-1))}
    relative = {"mup_transfers_better_than_ntp", "mup_transfers_better_than_sp"}
    assert {verdicts.pop(name) for name in relative} <= {"inconclusive", "contradicted"}
    assert set(verdicts.values()) == {"contradicted"}, verdicts


def test_one_seed_leaves_every_claim_inconclusive():
    records = evaluate_claims(EXPERIMENT, "smoke", planted(1, seeds=(0,)))
    assert {r["verdict"] for r in records} == {"inconclusive"}


def test_records_have_the_agreed_fields_and_are_json(supporting):
    assert all(list(record) == FIELDS for record in supporting)
    assert json.loads(json.dumps(supporting, allow_nan=False)) == supporting
    nothing = evaluate_claims(EXPERIMENT, "laptop", {})
    assert {(r["value"], r["ci_low"], r["verdict"]) for r in nothing} == {
        (None, None, "inconclusive")
    }
    json.dumps(nothing, allow_nan=False)


def test_an_experiment_without_claims_has_no_records():
    assert evaluate_claims("another", "laptop", {}) == []
    assert table([]) == "no claims"


def test_table_is_aligned_with_the_verdict_first(supporting):
    lines = table(supporting).splitlines()
    assert len(lines) == len(supporting) + 2
    start = lines[0].index("claim")
    for line, record in zip(lines[2:], supporting, strict=True):
        assert line.startswith(record["verdict"])
        assert line[start:].startswith(record["id"] + " ")
