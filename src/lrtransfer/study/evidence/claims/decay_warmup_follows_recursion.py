"""The implicit warm-up follows its recursion (Kosson et al., Fig. 5, for any schedule)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.conditions import failed
from lrtransfer.study.evidence.effects import warmup
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_warmup_follows_recursion",
    paper="weight-decay",
    statement="The implicit warm-up follows the recursion for noise",
    metric="mean over training of |log2 of measured over predicted s| at the widest net",
    rule=Below(0.25),
    figure="implicit_warmup",
    experiments=("weight_decay",),
    evaluate=lambda fits: warmup(fits, "deviation"),
    obstacle=lambda fits: failed(fits, "independent", "unscaled"),
)
