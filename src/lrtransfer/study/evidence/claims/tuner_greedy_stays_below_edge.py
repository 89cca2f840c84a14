"""The greedy rate keeps the product below the edge (Fig. 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_mean
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_greedy_stays_below_edge",
    paper="cdat",
    statement="The greedy learning rate keeps the sharpness below the edge of stability",
    metric="learning rate times sharpness, mean over the second half of the run",
    rule=Below(2.0),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_mean(fits, "greedy", "rate*edge_sharpness"),
)
