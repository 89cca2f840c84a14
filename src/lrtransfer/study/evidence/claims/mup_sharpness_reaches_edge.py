"""Under μP the sharpness rises to the edge of stability at every width (Fig. 1).

On a fixed batch under minibatch SGD the paper's curves hover above 2/η₀.
"""

from lrtransfer.study.evidence.claim import Claim
from lrtransfer.study.evidence.effects import edge_ratio
from lrtransfer.transfer.rules import Within

CLAIM = Claim(
    id="mup_sharpness_reaches_edge",
    paper="super-consistency",
    statement="Under μP the sharpness rises to about 2/η₀ and hovers there",
    metric="sharpness · η₀ / 2 at the last measured step, mean over widths",
    rule=Within(0.8, 2.0),
    figure="width_transfer",
    experiments=("width_transfer_vision",),
    evaluate=lambda fits: edge_ratio(fits, "mup"),
)
