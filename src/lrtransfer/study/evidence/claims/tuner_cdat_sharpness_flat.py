"""CDAT on the edge holds the sharpness (Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_growth
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_cdat_sharpness_flat",
    paper="cdat",
    statement="Under CDAT at σ = 2 the sharpness is flat or falls slightly",
    metric="log2 of the sharpness at the end over that after a quarter of the run",
    rule=Below(0.1),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_growth(fits, "on_edge", "edge_sharpness"),
)
