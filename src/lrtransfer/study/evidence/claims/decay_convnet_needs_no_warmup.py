"""A ResNet needs no further warm-up (Kosson et al., ResNet experiments)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import extra_regret
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="decay_convnet_needs_no_warmup",
    paper="weight-decay",
    statement=(
        "In a residual convolutional network unscaled learning rates transfer as well without"
        " an exponential warm-up"
    ),
    metric="regret at the widest net, linear minus exponential warm-up, nats",
    rule=Below(0.02),
    figure="decay_transfer",
    experiments=("weight_decay_convnet",),
    evaluate=lambda fits: extra_regret(fits, "unscaled", "unscaled_exponential"),
    obstacle=lambda fits: "",
)
