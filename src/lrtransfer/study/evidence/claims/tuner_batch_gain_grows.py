"""CDAT fares better against a constant rate with larger batches (Fig. 20)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import ratio_change
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_batch_gain_grows",
    paper="cdat",
    statement="CDAT fares better against a tuned constant learning rate as batches grow",
    metric=(
        "log2 of the final training loss, best CDAT over best constant: at batches of 256 minus "
        "at 16"
    ),
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners_batch",),
    evaluate=lambda fits: ratio_change(
        fits, ("cdat_16", "constant_16"), ("cdat_256", "constant_256")
    ),
)
