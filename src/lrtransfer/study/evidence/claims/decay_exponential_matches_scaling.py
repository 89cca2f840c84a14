"""An exponential warm-up does as well as μP's learning rates (Kosson et al., Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import arm_gap
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_exponential_matches_scaling",
    paper="weight-decay",
    statement=(
        "Unscaled learning rates with an exponential warm-up do as well as μP with "
        "independent decay"
    ),
    metric=(
        "final loss at the widest net and one learning rate, exponential warm-up minus "
        "independent decay, nats"
    ),
    rule=Below(0.02),
    figure="decay_changes",
    experiments=("weight_decay",),
    evaluate=lambda fits: arm_gap(fits, "unscaled_exponential", "final_loss"),
    obstacle=lambda fits: failed(fits, "independent", "unscaled_exponential"),
)
