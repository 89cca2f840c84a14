"""With only the output layer trained, the sharpness does not evolve (Fig. 26)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import change
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="random_features_sharpness_frozen",
    paper="super-consistency",
    statement=(
        "Without feature learning the sharpness stays what it is at the start, at every width"
    ),
    metric="log2 of the sharpness at the last over the first step, mean over widths",
    rule=Within(-0.32, 0.32),
    figure="width_transfer",
    experiments=("random_features",),
    evaluate=lambda fits: change(fits, "random_features", "sharpness"),
)
