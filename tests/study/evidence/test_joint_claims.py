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
    names = dict(zip(runs["arm"].unique(), ["sp_cdat", "ntp_cdat", *arms], strict=False))
    names = {old: new for old, new in names.items() if new in arms}
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
    for place, arm in enumerate(("sp", "ntp")):
        for name in ("transfers", "holds_the_edge"):
            value = values.pop(f"joint_cdat_{name}_under_{arm}")
            assert value == pytest.approx(DRIFTS[place], abs=0.05)
    assert not values
