"""A plan under accelerate: parameterize, then prepare the model and its optimizer in one call.

python examples/accelerate_loop.py, or accelerate launch examples/accelerate_loop.py
"""

import torch
from accelerate import Accelerator
from torch import nn

import lrtransfer as lt


def make(n: int) -> nn.Sequential:
    """Return a small network of width n."""
    return nn.Sequential(nn.Linear(8, n), nn.GELU(), nn.Linear(n, n), nn.Linear(n, 1))


torch.manual_seed(0)
x = torch.randn(256, 8)
data = torch.utils.data.TensorDataset(x, x.prod(1, keepdim=True).tanh())

model = make(64)
groups = lt.parameterize(model, "mup", base=make(16), optimizer="adamw", lr=1e-2, seed=0)
optimizer = lt.make_optimizer(groups, model=model)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.98**step)
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model, optimizer, loader, schedule = accelerator.prepare(
    model, optimizer, torch.utils.data.DataLoader(data, 32), schedule
)
for epoch in range(10):
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.mse_loss(model(inputs), targets)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    accelerator.print(f"epoch {epoch}: loss {loss.item():.4f}")
