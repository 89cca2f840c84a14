"""The claims of the joint experiment, on planted drifts."""

from __future__ import annotations

import math

import pytest

from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.measure import every_measure
from tests.tiny import real_params

from .planted import estimates, judged, on, row
from .predictor_runs import DRIFTS, UPDATES, study
from .rows import stored


def test_claims_of_the_joint_experiment_read_what_they_say() -> None:
    """Arms by their own names, each with its planted drift; the sharpness predicts it."""
    arms = real_params()["study"]["joint"]["arms"]
    runs, curves = study()
    asked = ["sp_cdat", "ntp_cdat", "mup", "sp_adam", "adamh_sp", "muonh_sp", *arms]
    names = dict(zip(runs["arm"].unique(), asked, strict=False))
    names = {old: new for old, new in names.items() if new in {*arms, "mup"}}
    own = stored(Experiment(runs.assign(arm=runs["arm"].map(names)), curves).estimates())
    values = {}
    for claim in on("joint"):
        found = every_measure()[claim.measure](own, **claim.options(own.arms))
        assert found is not None, claim.id
        values[claim.id] = found.value
    assert values.pop("joint_sharpness_predicts_transfer") == pytest.approx(1.0)
    rho = values.pop("joint_updates_predict_transfer")
    known = own.one("rank_correlation", quantity=UPDATES, at="late")
    assert known is not None and rho == known.value
    gap = values.pop("joint_sharpness_predicts_better_than_updates")
    assert gap == pytest.approx(1 - rho)
    regrets = {
        arm: found.value
        for arm in ("sp_cdat", "ntp_cdat", "mup")
        if (found := own.one("regret", arm=arm, size=max(own.sizes("regret", arm))))
    }
    for place, arm in enumerate(("sp", "ntp")):
        held = values.pop(f"joint_cdat_holds_the_edge_under_{arm}")
        assert held == pytest.approx(DRIFTS[place], abs=0.05)
        kept = values.pop(f"joint_cdat_transfers_under_{arm}")
        assert kept == pytest.approx(regrets[f"{arm}_cdat"] - regrets["mup"]) and kept > 0
    octaves = math.log2(max(own.sizes("optimum", "mup")) / min(own.sizes("optimum", "mup")))
    for norms, place in (("", 4), ("_muon", 5)):
        shift = values.pop(f"joint_fixed_norms{norms}_optimum_stays")
        assert shift == pytest.approx(octaves * DRIFTS[place], abs=0.05)
    back = values.pop("joint_fixed_norms_take_back_the_fall")
    assert back == pytest.approx(DRIFTS[4] - DRIFTS[3], abs=0.05)
    assert not values


@pytest.mark.parametrize(
    ("drifts", "expected"), [((-0.5, 0.05, 0.0), "supported"), ((-0.1, -0.5, 0.5), "contradicted")]
)
def test_claims_on_fixed_norms_are_decided_both_ways(
    drifts: tuple[float, ...], expected: str
) -> None:
    """SP under Adam, AdamH and MuonH; the optimum is swept over three octaves."""
    arms = ("sp_adam", "adamh_sp", "muonh_sp")
    ends = [row("optimum", 0.0, arm=arm, size=size) for arm in arms for size in (32, 256)]
    slopes = [row("drift", drift, arm=arm) for arm, drift in zip(arms, drifts, strict=True)]
    own = estimates(*ends, *slopes)
    found = {c.id: judged(c, own) for c in on("joint") if c.id.startswith("joint_fixed")}
    assert len(found) == 3
    assert set(found.values()) == {expected}, found
