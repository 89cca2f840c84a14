"""A constant rate settles at the edge (Fig. 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_mean
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="tuner_constant_reaches_edge",
    paper="cdat",
    statement="At a constant learning rate the sharpness settles at the edge of stability",
    metric="learning rate times sharpness, mean over the second half of the run",
    rule=Within(1.8, 2.5),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_mean(fits, "constant", "rate*edge_sharpness"),
)
