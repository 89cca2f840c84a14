"""With independent decay the optimum stays within half an octave (Kosson et al., Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_independent_optimum_stays",
    paper="weight-decay",
    statement="Under independent weight decay the best learning rate does not depend on the width",
    metric=(
        "drift of the optimal log2 learning rate per doubling of width; the limits are half "
        "an octave from the narrowest to the widest net"
    ),
    rule=Within(-1 / 6, 1 / 6),
    figure="decay_transfer",
    experiments=("weight_decay_transfer",),
    evaluate=lambda fits: drift(fits, "independent"),
    obstacle=lambda fits: failed(fits, "independent"),
)
