"""Under independent decay late relative updates are equal over widths (Kosson et al., §3)."""

from lrtransfer.fits.claim import Claim
from lrtransfer.fits.conditions import failed
from lrtransfer.fits.effects import slope
from lrtransfer.fits.rules import Within

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
