"""Under Adam the preconditioned sharpness rises to its edge of stability (Fig. 21)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import edge_ratio
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="adam_preconditioned_sharpness_reaches_edge",
    paper="super-consistency",
    statement="Under Adam and μP the preconditioned sharpness rises to 38/η₀",
    metric="λ(P⁻¹H) · η₀ / 38 at the last measured step, mean over widths",
    rule=Within(0.8, 1.25),
    figure="width_transfer",
    experiments=("width_transfer_adam",),
    evaluate=lambda fits: edge_ratio(fits, "mup"),
)
