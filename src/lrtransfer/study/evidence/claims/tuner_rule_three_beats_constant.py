"""The rule 3/λ is good (Fig. 15)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_rule_three_beats_constant",
    paper="cdat",
    statement="The learning rate 3/λ beats a tuned constant one",
    metric="log2 of the final training loss, 3/λ over the best constant",
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners_sharpness_rule",),
    evaluate=lambda fits: loss_ratio(fits, "sigma_three", "constant"),
)
