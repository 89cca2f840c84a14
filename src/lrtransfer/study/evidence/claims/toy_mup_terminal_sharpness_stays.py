"""The two-layer linear net sharpens alike at every width under μP (Fig. 5)."""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import trend
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="toy_mup_terminal_sharpness_stays",
    paper="super-consistency",
    statement="Under μP the two-layer linear net ends at the same sharpness at every width",
    metric="log2 of the largest NTK eigenvalue per doubling of width at the last measured step",
    rule=Within(-0.05, 0.05),
    figure="phase_plane",
    experiments=("two_layer_sharpening",),
    evaluate=lambda fits: trend(fits, "mup", "ntk", "end"),
)
