"""Under μP the loss curves fan out: wider is better (Fig. 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import exponent
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="mup_loss_distance_grows",
    paper="super-consistency",
    statement="Under μP the finite-width error of the loss grows in time",
    metric="β of |S_N − S_widest| ∝ t^β (loss on a fixed subset), mean over widths",
    rule=Above(0.0),
    figure="consistency",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: exponent(fits, "mup", "subset_loss"),
)
