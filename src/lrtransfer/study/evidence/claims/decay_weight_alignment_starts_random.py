"""At the first update α_W = C^-½ (Kosson et al., §2)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_weight_alignment_starts_random",
    paper="weight-decay",
    statement="At the first update the weights align with their inputs as random ones do",
    metric=(
        "slope of log2 of the weight alignment per doubling of width at the first update, "
        "independent decay"
    ),
    rule=Within(-0.75, -0.25),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "weight_alignment", "start"),
    obstacle=lambda fits: "",
)
