"""In a ResNet too independent decay transfers better (Kosson et al., ResNet experiments)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="decay_convnet_independent_transfers_better",
    paper="weight-decay",
    statement=(
        "In a residual convolutional network too independent decay transfers better than "
        "standard decay"
    ),
    metric="regret at the widest net, standard minus independent, nats",
    rule=Above(0.0),
    figure="decay_transfer",
    experiments=("weight_decay_convnet",),
    evaluate=lambda fits: extra_regret(fits, "standard", "independent"),
    obstacle=lambda fits: "",
)
