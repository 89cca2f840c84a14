"""At the start α_ΔW/α_W grows as √C, as μP assumes (Kosson et al., Fig. 4)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_ratio_starts_with_root_width",
    paper="weight-decay",
    statement="At the first update the alignment ratio grows with the root of the width",
    metric=(
        "slope of log2 of the ratio per doubling of width at the first update, independent "
        "decay (½ if √C, 0 if width-free)"
    ),
    rule=Within(0.25, 0.75),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "alignment_ratio_without_decay", "start"),
    obstacle=lambda fits: "",
)
