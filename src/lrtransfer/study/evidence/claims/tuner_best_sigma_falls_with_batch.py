"""The best σ falls as batches shrink (Fig. 7)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import sigma_shift
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_best_sigma_falls_with_batch",
    paper="cdat",
    statement="The best σ of CDAT falls as the batch shrinks",
    metric="best σ at batches of 256 minus that at 16, averages of β = 0.9",
    rule=Above(0.0),
    figure="tuner_sweep",
    experiments=("tuners_batch",),
    evaluate=lambda fits: sigma_shift(fits, "cdat_256", "cdat_16"),
)
