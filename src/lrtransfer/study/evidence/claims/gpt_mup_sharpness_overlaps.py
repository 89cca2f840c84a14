"""A Transformer's preconditioned sharpness is super-consistent under μP (Fig. 16)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import overlap
from lrtransfer.transfer.rules import Below

CLAIM = Claim(
    id="gpt_mup_sharpness_overlaps",
    paper="super-consistency",
    statement=(
        "Under μP a Transformer's preconditioned sharpness follows the same curve at every width"
    ),
    metric="overlap: mean over time and widths of |S_N − S_widest| / S_widest (λ(P⁻¹H))",
    rule=Below(0.25),
    figure="consistency",
    experiments=("width_transfer_gpt",),
    evaluate=lambda fits: overlap(fits, "mup", "preconditioned_sharpness"),
)
