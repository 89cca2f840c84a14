"""On the edge updates align with the top eigenvector (Figs. 12 and 17)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import late_difference
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_updates_align_on_edge",
    paper="cdat",
    statement=(
        "Updates align more with the top eigenvector under CDAT at σ = 2 than under the greedy rate"
    ),
    metric=(
        "cosine of update and top eigenvector, CDAT at σ = 2 minus greedy, mean over the second "
        "half"
    ),
    rule=Above(0.0),
    figure="tuner_dynamics",
    experiments=("tuners",),
    evaluate=lambda fits: late_difference(fits, "on_edge", "greedy", "edge_alignment"),
)
