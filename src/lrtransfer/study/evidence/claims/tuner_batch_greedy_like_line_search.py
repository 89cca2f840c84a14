"""With mini-batches line search and the greedy rate are alike (Fig. 14)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="tuner_batch_greedy_like_line_search",
    paper="cdat",
    statement="With batches of 64 the greedy learning rate does as line search does",
    metric="log2 of the final training loss, greedy over line search",
    rule=Within(-0.5, 0.5),
    figure="tuner_losses",
    experiments=("tuners_batch",),
    evaluate=lambda fits: loss_ratio(fits, "plain_greedy_64", "plain_line_search_64"),
)
