"""Under μP the sharpness does not drift away from the widest net's (Fig. 3).

The margin above 0 is for the reference's own noise, which keeps β near 0 rather than below it.
"""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import exponent
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="mup_sharpness_distance_does_not_grow",
    paper="super-consistency",
    statement="Under μP the finite-width error of the sharpness does not grow in time",
    metric="β of |S_N − S_widest| ∝ t^β (sharpness), mean over widths",
    rule=Below(0.25),
    figure="consistency",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: exponent(fits, "mup", "sharpness"),
)
