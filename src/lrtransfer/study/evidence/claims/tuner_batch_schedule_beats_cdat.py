"""With mini-batches a schedule is at least as good (Figs. 20 and 21)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_batch_schedule_beats_cdat",
    paper="cdat",
    statement="With batches of 64 a warm-up with cosine decay ends at least as low as CDAT",
    metric="log2 of the final training loss, best cosine over best CDAT",
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners_batch",),
    evaluate=lambda fits: loss_ratio(fits, "cosine_64", "cdat_64"),
)
