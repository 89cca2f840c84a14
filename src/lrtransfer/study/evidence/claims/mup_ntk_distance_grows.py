"""Under μP the largest NTK eigenvalue fans out over widths (Fig. 2b, 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import exponent
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="mup_ntk_distance_grows",
    paper="super-consistency",
    statement="Under μP the finite-width error of the largest NTK eigenvalue grows in time",
    metric="β of |S_N − S_widest| ∝ t^β (largest NTK eigenvalue), mean over widths",
    rule=Above(0.0),
    figure="consistency",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: exponent(fits, "mup", "ntk"),
)
