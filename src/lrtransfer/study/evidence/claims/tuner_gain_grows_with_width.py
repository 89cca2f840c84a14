"""What the edge gains grows with the width (Fig. 18)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import gain_change
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_gain_grows_with_width",
    paper="cdat",
    statement="What CDAT gains by σ = 2 over σ = 1 grows with the width",
    metric="log2 of the final loss, σ = 1 over σ = 2: widest minus narrowest net",
    rule=Above(0.0),
    figure="tuner_sweep",
    experiments=("tuners_width",),
    evaluate=lambda fits: gain_change(fits, 16, 256),
)
