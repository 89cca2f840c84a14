"""Prefixed schedules can outperform CDAT (Fig. 19)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_schedules_beat_cdat",
    paper="cdat",
    statement="A warm-up with cosine decay, its peak tuned, ends lower than CDAT at its best σ",
    metric="log2 of the final training loss, best cosine over best CDAT",
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners_schedules",),
    evaluate=lambda fits: loss_ratio(fits, "cosine", "on_edge"),
)
