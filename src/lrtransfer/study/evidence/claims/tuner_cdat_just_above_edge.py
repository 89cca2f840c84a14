"""CDAT stays slightly above the edge (Fig. 6), in part by algebra."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_mean
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="tuner_cdat_just_above_edge",
    paper="cdat",
    statement="CDAT at σ = 2 keeps the sharpness slightly above the edge of stability",
    metric="learning rate times sharpness, mean over the second half of the run",
    rule=Within(2.0, 2.5),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_mean(fits, "on_edge", "rate*edge_sharpness"),
)
