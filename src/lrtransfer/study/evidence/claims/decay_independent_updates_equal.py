"""Under independent decay late relative updates are equal over widths (Kosson et al., §3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="decay_independent_updates_equal",
    paper="weight-decay",
    statement="Under independent weight decay the relative updates of all widths become equal",
    metric=(
        "slope of log2 of the relative update per doubling of width, second half of training,"
        " independent decay"
    ),
    rule=Within(-0.25, 0.25),
    figure="late_updates",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "independent", "relative_update_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "independent"),
)
