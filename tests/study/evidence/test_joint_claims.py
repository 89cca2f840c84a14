"""The claims of the joint experiment, on planted drifts."""

from __future__ import annotations

import pytest

from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.evidence.measure import every_measure
from tests.tiny import real_params

from .planted import on
from .predictor_runs import DRIFTS, UPDATES, study
from .rows import stored


def test_claims_of_the_joint_experiment_read_what_they_say() -> None:
    """Arms by their own names, each with its planted drift; the sharpness predicts it."""
    arms = real_params()["study"]["joint"]["arms"]
    runs, curves = study()
    names = dict(zip(runs["arm"].unique(), ["sp_cdat", "ntp_cdat", "mup", *arms], strict=False))
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
    assert not values
