"""Without a branch multiplier the optimum falls with depth (Fig. 6)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import drift
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="depth_unscaled_optimum_falls",
    paper="super-consistency",
    statement="With unscaled branches the optimal learning rate falls with depth",
    metric="drift of the optimal log2 learning rate per doubling of depth",
    rule=Below(-0.25),
    figure="optima",
    experiments=("depth_transfer",),
    evaluate=lambda fits: drift(fits, "zero_k1"),
)
