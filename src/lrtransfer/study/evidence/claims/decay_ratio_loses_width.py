"""Later α_ΔW/α_W no longer depends on the width (Kosson et al., Fig. 4)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_ratio_loses_width",
    paper="weight-decay",
    statement="For most of training the alignment ratio does not depend on the width",
    metric=(
        "slope of log2 of the ratio per doubling of width, second half of training, "
        "independent decay (½ if √C, 0 if width-free)"
    ),
    rule=Within(-0.25, 0.25),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "alignment_ratio_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "independent"),
)
