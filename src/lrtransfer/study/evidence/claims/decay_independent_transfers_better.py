"""Independent decay transfers better than standard decay (Kosson et al., Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="decay_independent_transfers_better",
    paper="weight-decay",
    statement=(
        "The narrow net's best learning rate costs the wide net less under independent than "
        "under standard decay"
    ),
    metric="regret at the widest net, standard minus independent, nats",
    rule=Above(0.0),
    figure="decay_transfer",
    experiments=("weight_decay_transfer",),
    evaluate=lambda fits: extra_regret(fits, "standard", "independent"),
    obstacle=lambda fits: failed(fits, "independent", "standard"),
)
