"""With mini-batches line search is on par with a constant rate (Fig. 14)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_batch_line_search_on_par",
    paper="cdat",
    statement=(
        "With batches of 64 line search is on par with a tuned constant learning rate, or better"
    ),
    metric="log2 of the final training loss, line search over the best constant",
    rule=Below(0.25),
    figure="tuner_losses",
    experiments=("tuners_batch",),
    evaluate=lambda fits: loss_ratio(fits, "plain_line_search_64", "plain_constant_64"),
)
