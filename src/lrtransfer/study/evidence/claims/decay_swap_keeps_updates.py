"""Only the product ηλ sets the late relative update (Kosson et al., §3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import arm_gap
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_swap_keeps_updates",
    paper="weight-decay",
    statement="Late relative updates depend on the product of learning rate and decay alone",
    metric=(
        "log2 of the late relative update at twice the learning rate and equal decay over "
        "that of independent decay, widest net (½ if the rate alone counted)"
    ),
    rule=Within(-0.25, 0.25),
    figure="late_updates",
    experiments=("weight_decay",),
    evaluate=lambda fits: arm_gap(fits, "swapped", "relative_update_without_decay"),
    obstacle=lambda fits: failed(fits, "independent", "swapped"),
)
