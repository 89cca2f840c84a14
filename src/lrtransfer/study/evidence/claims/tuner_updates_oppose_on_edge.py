"""On the edge successive updates oppose each other (Fig. 17)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_mean
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_updates_oppose_on_edge",
    paper="cdat",
    statement="Under CDAT at σ = 2 successive updates become opposed",
    metric="cosine between successive updates, mean over the second half of the run",
    rule=Below(-0.5),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_mean(fits, "on_edge", "update_cosine"),
)
