"""Under NTP the optimal learning rate grows with width (Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="ntp_optimum_shifts_up",
    paper="super-consistency",
    statement="Under NTP the optimal learning rate shifts up with width",
    metric="drift of the optimal log2 learning rate per doubling of width",
    rule=Above(0.0),
    figure="width_transfer",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: drift(fits, "ntp"),
)
