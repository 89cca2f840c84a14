"""The two-layer linear net's optimum grows like √N under NTP (Fig. 10)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="toy_ntp_optimum_follows_root",
    paper="super-consistency",
    statement=(
        "Under NTP the optimal learning rate of the two-layer linear net grows like the root of "
        "the width"
    ),
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Within(0.35, 0.65),
    figure="optima",
    experiments=("two_layer_linear",),
    evaluate=lambda fits: drift(fits, "ntp"),
)
