"""Under the greedy rate successive updates do not oppose each other (Fig. 17)."""

from lrtransfer.fits.claim import Claim
from lrtransfer.fits.rules import Above
from lrtransfer.fits.tuned import late_difference

CLAIM = Claim(
    id="tuner_updates_do_not_oppose_greedy",
    paper="cdat",
    statement="Under the greedy learning rate successive updates are less opposed than on the edge",
    metric=(
        "cosine between successive updates, greedy minus CDAT at σ = 2, mean over the second half"
    ),
    rule=Above(0.0),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_difference(fits, "greedy", "on_edge", "update_cosine"),
)
