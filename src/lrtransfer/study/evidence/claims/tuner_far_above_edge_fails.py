"""σ = 2.5 diverges sooner or later (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_far_above_edge_fails",
    paper="cdat",
    statement="CDAT far above the edge, at σ = 2.5, ends far higher than at σ = 2",
    metric=(
        "log2 of the final training loss, σ = 2.5 over σ = 2; a diverged run counts with its "
        "initial loss"
    ),
    rule=Above(1.0),
    figure="tuner_sweep",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio(fits, "on_edge", "on_edge", rate=1.25, baseline_rate=1.0),
)
