"""Moving averages make the best σ depend less on the batch (Fig. 7)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import shift_difference
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_average_flattens_best_sigma",
    paper="cdat",
    statement="Moving averages make the best σ depend less on the batch size",
    metric="best σ at batches of 256 minus that at 16, without averages minus with",
    rule=Above(0.0),
    figure="tuner_sweep",
    experiments=("tuners_batch",),
    evaluate=lambda fits: shift_difference(fits, ("raw_256", "raw_16"), ("cdat_256", "cdat_16")),
)
