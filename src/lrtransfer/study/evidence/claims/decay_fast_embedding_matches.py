"""SP with a faster embedding does as well as μP (Kalra and Barkeshli, 2605.21486)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import arm_gap
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_fast_embedding_matches",
    paper="weight-decay",
    statement=(
        "Under SP a learning rate of the embedding that grows with the width does as well as μP"
    ),
    metric=(
        "final loss at the widest net and one learning rate, SP with a faster embedding minus"
        " independent decay, nats"
    ),
    rule=Below(0.02),
    figure="decay_changes",
    experiments=("weight_decay",),
    evaluate=lambda fits: arm_gap(fits, "fast_embedding", "final_loss"),
    obstacle=lambda fits: failed(fits, "independent", "fast_embedding"),
)
