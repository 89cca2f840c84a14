"""At the first update α_ΔW does not depend on the width (Kosson et al., §2)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_update_alignment_starts_width_free",
    paper="weight-decay",
    statement="At the first update the alignment of the update does not depend on the width",
    metric=(
        "slope of log2 of the update alignment per doubling of width at the first update, "
        "independent decay (0 if width-free, −½ if random)"
    ),
    rule=Within(-0.25, 0.25),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "update_alignment_without_decay", "start"),
    obstacle=lambda fits: "",
)
