"""Enter by `measure.measure`: how weights and updates align with a layer's inputs.

For a layer Y = WX and one optimizer step W → W + ΔW, with the inputs X held (Yang et al. 2023;
Kosson et al. 2025, 2510.19093):

- α_W = ‖WX‖/(‖W‖‖X‖) and α_ΔW = ‖ΔWX‖/(‖ΔW‖‖X‖), Frobenius norms, and their ratio;
- ‖ΔW‖/‖W‖, the relative update;
- ‖ΔWX‖/‖WX‖, the relative representation change: ratio times relative update.

`measure` takes them of any `nn.Module` from its weights before the step and the step's batch, at
the price of one forward pass. It leaves model, gradients, buffers and random state as they were.
"""

from lrtransfer.alignment.decay import InseparableDecayError, decay_shares
from lrtransfer.alignment.layers import WeightLayer, weight_layers
from lrtransfer.alignment.measure import Inputs, measure
from lrtransfer.alignment.quantities import Alignment

__all__ = [
    "Alignment",
    "Inputs",
    "InseparableDecayError",
    "WeightLayer",
    "decay_shares",
    "measure",
    "weight_layers",
]
