"""μP loses less than NTP when the narrow optimum is used on the wide net (Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="mup_transfers_better_than_ntp",
    paper="super-consistency",
    statement="The narrow net's best learning rate costs the wide net less under μP than under NTP",
    metric="regret at the widest net, NTP minus μP, nats",
    rule=Above(0.0),
    figure="width_transfer",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: extra_regret(fits, "ntp", "mup"),
)
