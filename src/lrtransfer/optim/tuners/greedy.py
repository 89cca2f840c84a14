"""The quadratically greedy learning rate (Roulet et al. 2024, eq. 3): CDAT with σ = 1.

η = −g·u/(u·Hu) minimizes the quadratic model along u; on a quadratic loss with u = −g this is
Cauchy's steepest descent. Where u·Hu ≤ 0 the model has no minimum; CDAT's |u·Hu| stands for it.

Example:
    >>> import torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> opt = TUNER(torch.optim.SGD([w], lr=1.0))
    >>> loss = opt.step(lambda: 1.5 * w.square().sum())
    >>> w.abs().max().item() < 1e-6  # at once at the minimum of a round bowl
    True
"""

from __future__ import annotations

from functools import partial

from lrtransfer.optim.tuners.cdat import CDAT

# Gradient evaluations of a step, for estimates of time.
PRICE = 3.0
TUNER = partial(CDAT, sigma=1.0)
