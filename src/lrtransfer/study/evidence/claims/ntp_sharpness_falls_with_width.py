"""Under NTP wide nets sharpen less (Fig. 1)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import trend
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="ntp_sharpness_falls_with_width",
    paper="super-consistency",
    statement="Under NTP the sharpness reached in training falls with width",
    metric="log2 sharpness per doubling of width at the last measured step",
    rule=Below(0.0),
    figure="width_transfer",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: trend(fits, "ntp", "sharpness", "end"),
)
