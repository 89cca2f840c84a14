"""The optimum grows with the batch size (Fig. 13: about twofold)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import optimum_shift
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="batch_optimum_grows",
    paper="super-consistency",
    statement="Larger batches have a larger optimal learning rate after the same number of epochs",
    metric="log2 of the optimum with batches of 256 over that of 32, mean over widths",
    rule=Above(0.5),
    figure="optima",
    experiments=("batch_size",),
    evaluate=lambda fits: optimum_shift(fits, "b256", "b32"),
)
