"""Hypergradient descent does as a constant rate does (Fig. 13)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="tuner_hypergradient_is_like_constant",
    paper="cdat",
    statement="Hypergradient descent ends where a tuned constant learning rate ends",
    metric="log2 of the final training loss, hypergradient over the best constant",
    rule=Within(-0.5, 0.5),
    figure="tuner_losses",
    experiments=("tuners",),
    evaluate=lambda fits: loss_ratio(fits, "hypergradient", "constant"),
)
