"""Under the greedy rate successive updates do not oppose each other (Fig. 17)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_difference
from lrtransfer.transfer.rules import Above

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
