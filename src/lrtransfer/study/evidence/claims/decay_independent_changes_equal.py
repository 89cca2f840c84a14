"""Independent decay keeps the relative change of representations equal (Kosson et al., Fig. 3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_independent_changes_equal",
    paper="weight-decay",
    statement="Under independent weight decay the representations of all widths change equally",
    metric=(
        "slope of log2 of the relative representation change per doubling of width, second "
        "half of training, independent decay"
    ),
    rule=Within(-0.25, 0.25),
    figure="decay_changes",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "relative_change_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "independent"),
)
