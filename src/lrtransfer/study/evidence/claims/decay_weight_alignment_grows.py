"""α_W = C^-½ holds very early only (Kosson et al., Fig. 4)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import phase
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="decay_weight_alignment_grows",
    paper="weight-decay",
    statement="In training the weights align with their inputs more than random ones do",
    metric="log2 of late over first weight alignment at the widest net, independent decay",
    rule=Above(0.5),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: phase(fits, "independent", "weight_alignment", "change"),
    obstacle=lambda fits: failed(fits, "independent"),
)
