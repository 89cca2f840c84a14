"""The greedy rate falls by orders of magnitude (Fig. 3); the rule asks for one."""

from lrtransfer.fits.claim import Claim
from lrtransfer.fits.rules import Below
from lrtransfer.fits.tuned import fall_from_peak

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
