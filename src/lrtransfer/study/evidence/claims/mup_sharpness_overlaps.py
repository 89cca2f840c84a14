"""Under μP the sharpness curves of all widths lie on each other (Fig. 1, 2a)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import overlap
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="mup_sharpness_overlaps",
    paper="super-consistency",
    statement="Under μP the sharpness follows the same curve at every width",
    metric="overlap: mean over time and widths of |S_N − S_widest| / S_widest (sharpness)",
    rule=Below(0.25),
    figure="consistency",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: overlap(fits, "mup", "sharpness"),
)
