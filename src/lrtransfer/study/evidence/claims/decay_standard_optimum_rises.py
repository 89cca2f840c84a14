"""With standard decay the optimum drifts upwards (Kosson et al., Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import drift, minus
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="decay_standard_optimum_rises",
    paper="weight-decay",
    statement=(
        "Under standard weight decay the best learning rate rises with the width, relative to"
        " independent decay"
    ),
    metric=(
        "difference of drifts of the optimal log2 learning rate per doubling of width, "
        "standard minus independent"
    ),
    rule=Above(0.0),
    figure="decay_transfer",
    experiments=("weight_decay_transfer",),
    evaluate=lambda fits: minus(drift(fits, "standard"), drift(fits, "independent")),
    obstacle=lambda fits: failed(fits, "independent", "standard"),
)
