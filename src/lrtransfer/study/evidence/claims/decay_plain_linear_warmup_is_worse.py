"""A linear warm-up of 10 % does not replace μP's learning rates (Kosson et al., Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import arm_gap, minus
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="decay_plain_linear_warmup_is_worse",
    paper="weight-decay",
    statement=(
        "With unscaled learning rates a linear warm-up of 10 % is worse than an exponential one"
    ),
    metric=(
        "final loss at the widest net and one learning rate, linear of 10 % minus exponential"
        " warm-up, nats"
    ),
    rule=Above(0.0),
    figure="decay_changes",
    experiments=("weight_decay",),
    evaluate=lambda fits: minus(
        arm_gap(fits, "unscaled", "final_loss"),
        arm_gap(fits, "unscaled_exponential", "final_loss"),
    ),
    obstacle=lambda fits: failed(fits, "unscaled", "unscaled_exponential"),
)
