"""The formula for weights in equilibrium overestimates the time (Kosson et al., Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import warmup
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_simple_form_is_slow",
    paper="weight-decay",
    statement="The simplified formula overestimates how long the implicit warm-up takes",
    metric="log2 of the update at which s passes 1/√2, measured over simplified, widest net",
    rule=Below(0.0),
    figure="implicit_warmup",
    experiments=("weight_decay",),
    evaluate=lambda fits: warmup(fits, "delay"),
    obstacle=lambda fits: failed(fits, "independent", "unscaled"),
)
