"""Under the greedy rate the sharpness grows without a plateau (Fig. 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_growth
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_greedy_keeps_sharpening",
    paper="cdat",
    statement="Under the greedy learning rate the sharpness keeps growing",
    metric="log2 of the sharpness at the end over that after a quarter of the run",
    rule=Above(0.1),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_growth(fits, "greedy", "edge_sharpness"),
)
