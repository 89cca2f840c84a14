"""Independent decay undoes what μP's learning rate lowered (Kosson et al., §4)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import warmup
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_warmup_ends",
    paper="weight-decay",
    statement="Independent weight decay undoes the lowered learning rate late in training",
    metric=(
        "log2 s over log2 1/m at the widest net, second half of training: 1 if nothing is "
        "undone, 0 if all is"
    ),
    rule=Below(0.5),
    figure="implicit_warmup",
    experiments=("weight_decay",),
    evaluate=lambda fits: warmup(fits, "left"),
    obstacle=lambda fits: failed(fits, "independent", "unscaled"),
)
