"""Polyak's rate beats CDAT on the edge (Fig. 13)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_polyak_beats_cdat",
    paper="cdat",
    statement="Polyak's learning rate ends lower than CDAT at σ = 2",
    metric="log2 of the final training loss, Polyak over CDAT at σ = 2",
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners", "tuners_convnet"),
    evaluate=lambda fits: loss_ratio(fits, "polyak", "on_edge", baseline_rate=1.0),
)
