"""Is it the rate that counts, or the rate over the weights' norm? A run replayed without its decay.

Run it with ``python examples/effective_rate.py``; it takes a few seconds. The second run has no
weight decay, but before every step its matrix is given the norm at which its effective rate η/‖W‖
is that of the first (Liu et al. 2026). The third has no decay either, and goes its own way.
"""

import torch
from torch import nn

import lrtransfer as lt

x = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
y = (x[:, :1] * x[:, 1:2]).sin() + x[:, 2:3]


def train(decay: float, replay=None):
    """Return losses and effective rates of 200 steps of AdamW; one matrix decays."""
    torch.manual_seed(0)
    hidden = nn.Linear(64, 64, bias=False)  # its scale does not show after the norm
    block = [hidden, nn.LayerNorm(64, elementwise_affine=False), nn.Tanh(), nn.Linear(64, 1)]
    net = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), *block)
    still = [p for p in net.parameters() if p is not hidden.weight]
    groups = [{"params": [hidden.weight], "weight_decay": decay}, {"params": still}]
    opt = torch.optim.AdamW(groups, lr=3e-3, weight_decay=0.0)
    losses, rates = [], []
    for step in range(200):
        if replay:
            lt.force_effective_rates(net, opt, replay[step])
        rates.append({"2.weight": lt.effective_rates(net, opt)["2.weight"]})
        net.zero_grad()
        (loss := nn.functional.mse_loss(net(x), y)).backward()
        opt.step()
        losses.append(loss.item())
    return torch.tensor(losses), rates


decayed, rates = train(decay=0.5)
for name, (other, own) in {"replayed": train(0.0, rates), "free": train(0.0)}.items():
    apart = (other - decayed)[50:].abs().mean() / decayed[50:].mean()
    print(f"{name}: η/‖W‖ ends at {own[-1]['2.weight']:.2e}, mean |ΔL|/L {apart:.1%}")
