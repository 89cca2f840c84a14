"""The exact rule 2/λ is poor (Fig. 15)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_rule_two_is_poor",
    paper="cdat",
    statement="The learning rate 2/λ, with the exact sharpness, loses to a tuned constant one",
    metric="log2 of the final training loss, 2/λ over the best constant",
    rule=Above(0.0),
    figure="tuner_losses",
    experiments=("tuners_sharpness_rule",),
    evaluate=lambda fits: loss_ratio(fits, "sigma_two", "constant"),
)
