"""With an exponential warm-up and unscaled rates the optimum stays (Kosson et al., Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_exponential_optimum_stays",
    paper="weight-decay",
    statement=(
        "With unscaled learning rates and an exponential warm-up the best learning rate does "
        "not depend on the width"
    ),
    metric=(
        "drift of the optimal log2 learning rate per doubling of width; the limits are half "
        "an octave from the narrowest to the widest net"
    ),
    rule=Within(-1 / 6, 1 / 6),
    figure="decay_transfer",
    experiments=("weight_decay_transfer",),
    evaluate=lambda fits: drift(fits, "unscaled_exponential"),
    obstacle=lambda fits: failed(fits, "unscaled_exponential"),
)
