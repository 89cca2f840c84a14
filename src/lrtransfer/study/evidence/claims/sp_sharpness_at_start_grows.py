"""Under SP the untrained net's sharpness grows with width (Fig. 7)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import trend
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="sp_sharpness_at_start_grows",
    paper="super-consistency",
    statement="Under SP the sharpness of the untrained net grows with width",
    metric="log2 sharpness per doubling of width at step 0",
    rule=Above(0.0),
    figure="width_transfer",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: trend(fits, "sp", "sharpness", "start"),
)
