"""σ = 2.0625 is better than 2 in most settings (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import loss_ratio
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="tuner_slightly_above_edge_is_better",
    paper="cdat",
    statement="CDAT slightly above the edge, at σ = 2.0625, ends lower than at σ = 2",
    metric="log2 of the final training loss, σ = 2.0625 over σ = 2",
    rule=Below(0.0),
    figure="tuner_sweep",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: loss_ratio(fits, "on_edge", "on_edge", rate=1.03125, baseline_rate=1.0),
)
