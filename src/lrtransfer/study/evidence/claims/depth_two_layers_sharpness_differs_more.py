"""Depth-μP with two layers per branch is not super-consistent (Fig. 4b)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import minus, overlap
from lrtransfer.transfer.rules import Above

CLAIM = Claim(
    id="depth_two_layers_sharpness_differs_more",
    paper="super-consistency",
    statement=(
        "With branches ∝ 1/√depth the sharpness differs more over depth where a branch has two "
        "layers"
    ),
    metric="overlap of the sharpness with the deepest net's, two layers minus one",
    rule=Above(0.0),
    figure="consistency",
    experiments=("depth_transfer",),
    evaluate=lambda fits: minus(
        overlap(fits, "half_k2", "sharpness"), overlap(fits, "half_k1", "sharpness")
    ),
)
