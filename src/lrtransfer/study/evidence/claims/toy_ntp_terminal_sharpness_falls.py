"""The two-layer linear net sharpens less the wider it is under NTP (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import trend
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="toy_ntp_terminal_sharpness_falls",
    paper="super-consistency",
    statement=(
        "Under NTP the final sharpness of the two-layer linear net falls like the inverse root "
        "of the width"
    ),
    metric="log2 of the largest NTK eigenvalue per doubling of width at the last measured step",
    rule=Within(-0.6, -0.4),
    figure="phase_plane",
    experiments=("two_layer_sharpening",),
    evaluate=lambda fits: trend(fits, "ntp", "ntk", "end"),
)
