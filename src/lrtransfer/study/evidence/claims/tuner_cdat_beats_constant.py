"""CDAT on the edge beats the tuned constant rate in full batch (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_cdat_beats_constant",
    paper="cdat",
    statement=(
        "With full batches CDAT at σ = 2 ends at least as low as a tuned constant learning rate"
    ),
    metric="log2 of the final training loss, CDAT at σ = 2 over the best constant",
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio(fits, "on_edge", "constant", rate=1.0),
)
