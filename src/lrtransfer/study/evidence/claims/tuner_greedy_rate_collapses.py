"""The greedy rate falls by orders of magnitude (Fig. 3); the rule asks for one."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import fall_from_peak
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_greedy_rate_collapses",
    paper="cdat",
    statement="The greedy learning rate falls by orders of magnitude over a run",
    metric="log2 of the last learning rate over the largest",
    rule=Below(-3.32),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: fall_from_peak(fits, "greedy", "rate"),
)
