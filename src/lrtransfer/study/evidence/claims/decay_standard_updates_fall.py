"""Under standard decay late relative updates fall as 1/√m (Kosson et al., §3)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import slope
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_standard_updates_fall",
    paper="weight-decay",
    statement="Under standard weight decay the relative updates fall with the width",
    metric=(
        "slope of log2 of the relative update per doubling of width, second half of training,"
        " standard decay (−½ in equilibrium)"
    ),
    rule=Below(-0.25),
    figure="late_updates",
    experiments=("weight_decay",),
    evaluate=lambda fits: slope(fits, "standard", "relative_update_without_decay", "late"),
    obstacle=lambda fits: failed(fits, "standard"),
)
