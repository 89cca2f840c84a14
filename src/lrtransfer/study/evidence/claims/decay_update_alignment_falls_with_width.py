"""Later α_ΔW falls with the width (Kosson et al., Eq. 9 and Fig. 4)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_update_alignment_falls_with_width",
    paper="weight-decay",
    statement="For most of training the alignment of the update falls with the width",
    metric=(
        "slope of log2 of the update alignment per doubling of width, second half of "
        "training, independent decay (−½ if random)"
    ),
    rule=Below(-0.25),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "update_alignment_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "independent"),
)
