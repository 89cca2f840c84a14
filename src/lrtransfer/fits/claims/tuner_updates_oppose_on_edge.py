"""On the edge successive updates oppose each other (Fig. 17)."""

from lrtransfer.fits.claim import Claim
from lrtransfer.fits.rules import Below
from lrtransfer.fits.tuned import late_mean

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
