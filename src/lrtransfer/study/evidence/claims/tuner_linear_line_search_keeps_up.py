"""On a linear model line search does not lose (Fig. 2)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_linear_line_search_keeps_up",
    paper="cdat",
    statement="On a linear model line search does as well as a tuned constant learning rate",
    metric="log2 of the final training loss, line search over the best constant",
    rule=Below(0.5),
    figure="tuner_losses",
    experiments=("tuners_linear",),
    evaluate=lambda fits: loss_ratio(fits, "line_search", "constant"),
)
