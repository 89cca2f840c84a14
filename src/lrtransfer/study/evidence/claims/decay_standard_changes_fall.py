"""Under standard decay the relative change of representations falls (Kosson et al., Fig. 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_standard_changes_fall",
    paper="weight-decay",
    statement="Under standard weight decay the representations of wide nets change less",
    metric=(
        "slope of log2 of the relative representation change per doubling of width, second "
        "half of training, standard decay"
    ),
    rule=Below(-0.25),
    figure="decay_changes",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "standard", "relative_change_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "standard"),
)
