"""Depth-μP with one layer per branch is super-consistent in depth (Fig. 4a)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import overlap
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="depth_mup_sharpness_overlaps",
    paper="super-consistency",
    statement=(
        "With branches ∝ 1/√depth of one layer the sharpness follows the same curve at every depth"
    ),
    metric="overlap: mean over time and depths of |S_N − S_deepest| / S_deepest (sharpness)",
    rule=Below(0.25),
    figure="consistency",
    experiments=("depth_transfer",),
    evaluate=lambda fits: overlap(fits, "half_k1", "sharpness"),
)
