"""Every claim of the blind test of the prediction, where it holds and where it does not."""

from __future__ import annotations

import pytest

from lrtransfer.study.evidence.final_losses import final_losses

from .planted import CLAIMS, judged
from .rows import stored
from .tuner_frames import tuner_runs

# Predicted and carried rates, as params.yaml has them.
RATES = {
    ("mup", "blind_512"): (2.11, 1.65),
    ("ntp", "blind_512"): (168.0, 27.5),
    ("sp", "blind_512"): (0.233, 0.133),
    ("mup", "blind_1024"): (2.2, 1.65),
    ("ntp", "blind_1024"): (263.0, 27.5),
}


@pytest.mark.parametrize(("supports", "expected"), [(True, "supported"), (False, "contradicted")])
def test_every_claim_of_the_blind_test_can_be_decided_both_ways(
    supports: bool, expected: str
) -> None:
    claims = [c for c in CLAIMS if c.entry.experiments[0].startswith("blind")]
    assert len(claims) == 2 * len(RATES)
    for claim in claims:
        (experiment,) = claim.entry.experiments
        arm = claim.id.split("_")[-2]
        predicted, narrow = RATES[arm, experiment]
        losses = {predicted: 0.0, narrow: 1.0 if supports else -1.0, 2 * predicted: -0.1}
        assert judged(claim, stored(final_losses(tuner_runs({arm: losses})))) == expected, claim.id
