"""What the edge gains grows with the depth (Fig. 18)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import gain_change
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_gain_grows_with_depth",
    paper="cdat",
    statement="What CDAT gains by σ = 2 over σ = 1 grows with the depth",
    metric="log2 of the final loss, σ = 1 over σ = 2: deepest minus shallowest net",
    rule=Above(0.0),
    figure="tuner_sweep",
    experiments=("tuners_depth",),
    evaluate=lambda fits: gain_change(fits, 1, 4),
)
