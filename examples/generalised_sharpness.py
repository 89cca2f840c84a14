"""Where does sign descent train? Not at the edge of λ_max, but at that of its own norm.

Run it with ``python examples/generalised_sharpness.py``; it takes a few seconds. Steepest descent
in a norm keeps the sharpness of that norm, max dᵀHd over ‖d‖ = 1, near 2/η (Islamov et al. 2026).
"""

import torch
from torch import nn

import lrtransfer as lt
from lrtransfer.optim.steepest import steepest

torch.manual_seed(0)
x = torch.randn(64, 8)
y = (x[:, :1] * x[:, 1:2]).sin() + x[:, 2:3]
loss_fn = nn.MSELoss()

for norm, rate in (("linf", 0.004), ("spectral", 0.2)):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(8, 16, bias=False), nn.Tanh(), nn.Linear(16, 1, bias=False))
    opt = steepest([{"params": list(net.parameters()), "lr": rate}], norm=norm)
    print(f"steepest descent, norm {norm}, η = {rate}: step, loss, ηS/2, ηλ_max/2")
    for step in range(241):
        if step % 60 == 0:
            own = lt.sharpness(net, loss_fn, (x, y), norm=norm)  # a lower bound: not converged
            plain = lt.sharpness(net, loss_fn, (x, y)).value
            loss = own.loss
            print(f"  {step:3d} {loss:.4f} {rate * own.value / 2:.3f} {rate * plain / 2:.4f}")
        opt.zero_grad()
        loss_fn(net(x), y).backward()
        opt.step()
