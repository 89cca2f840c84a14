"""Without a branch multiplier the untrained net's sharpness explodes with depth (Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import trend
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="depth_unscaled_sharpness_explodes",
    paper="super-consistency",
    statement="With unscaled branches the sharpness of the untrained net explodes with depth",
    metric="log2 sharpness per doubling of depth at step 0",
    rule=Above(0.5),
    figure="depth_transfer",
    experiments=("depth_transfer",),
    evaluate=lambda fits: trend(fits, "zero_k1", "sharpness", "start"),
)
