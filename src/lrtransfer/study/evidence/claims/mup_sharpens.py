"""Under μP training raises the sharpness (Fig. 26)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import change
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="mup_sharpens",
    paper="super-consistency",
    statement="With feature learning (μP) training more than doubles the sharpness",
    metric="log2 of the sharpness at the last over the first step, mean over widths",
    rule=Above(1.0),
    figure="width_transfer",
    experiments=("random_features",),
    evaluate=lambda fits: change(fits, "mup", "sharpness"),
)
