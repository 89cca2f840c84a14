"""CDAT's rate rises by itself (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.tuned import rise_from_start
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="tuner_cdat_warms_up",
    paper="cdat",
    statement="CDAT at σ = 2 makes its own warm-up: the learning rate rises progressively",
    metric="log2 of the mean learning rate of the second half over the first one",
    rule=Above(1.0),
    figure="tuner_dynamics",
    experiments=("tuners", "tuners_convnet", "tuners_mixer", "tuners_gpt", "tuners_vit"),
    evaluate=lambda fits: rise_from_start(fits, "on_edge", "rate"),
)
