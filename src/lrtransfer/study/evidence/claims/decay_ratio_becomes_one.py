"""Later α_ΔW/α_W is near 1 (Kosson et al., Fig. 4)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import phase
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_ratio_becomes_one",
    paper="weight-decay",
    statement="For most of training the alignment ratio is near 1",
    metric="log2 of the ratio at the widest net, second half of training, independent decay",
    rule=Within(-1.0, 1.0),
    figure="decay_alignment",
    experiments=("weight_decay",),
    evaluate=lambda fits: phase(fits, "independent", "alignment_ratio_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "independent"),
)
