"""An exponential warm-up transfers as well as independent decay (Kosson et al., Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_exponential_transfers_as_well",
    paper="weight-decay",
    statement=(
        "An exponential warm-up with unscaled learning rates transfers as well as μP with "
        "independent decay"
    ),
    metric="regret at the widest net, exponential warm-up minus independent, nats",
    rule=Below(0.02),
    figure="decay_transfer",
    experiments=("weight_decay_transfer",),
    evaluate=lambda fits: extra_regret(fits, "unscaled_exponential", "independent"),
    obstacle=lambda fits: failed(fits, "independent", "unscaled_exponential"),
)
