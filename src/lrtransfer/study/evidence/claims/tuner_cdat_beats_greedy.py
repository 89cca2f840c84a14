"""CDAT on the edge beats the greedy rate (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_cdat_beats_greedy",
    paper="cdat",
    statement="CDAT at σ = 2 ends lower than at σ = 1",
    metric="log2 of the final training loss, σ = 2 over σ = 1",
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio(fits, "on_edge", "greedy", rate=1.0),
)
