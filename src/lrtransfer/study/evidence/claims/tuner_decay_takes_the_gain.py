"""Weight decay takes away what the edge gains (Fig. 18)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import gain_change
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_decay_takes_the_gain",
    paper="cdat",
    statement="What CDAT gains by σ = 2 over σ = 1 fades with weight decay",
    metric="log2 of the final loss, σ = 1 over σ = 2: λ = 0.1 minus none",
    rule=Below(0.0),
    figure="tuner_sweep",
    experiments=("tuners_decay",),
    evaluate=lambda fits: gain_change(fits, "none", "large"),
)
