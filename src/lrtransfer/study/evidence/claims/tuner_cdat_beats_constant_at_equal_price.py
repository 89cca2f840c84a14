"""The same at the same price, which the paper does not compare."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio_at_equal_price
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_cdat_beats_constant_at_equal_price",
    paper="cdat",
    statement=(
        "CDAT at σ = 2 still beats a tuned constant learning rate when both may cost the same"
    ),
    metric=(
        "log2 of the training loss, CDAT at σ = 2 over the best constant, at equal gradient "
        "evaluations"
    ),
    rule=Below(0.0),
    figure="tuner_losses",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio_at_equal_price(fits, "on_edge", "constant", rate=1.0),
)
