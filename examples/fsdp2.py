"""A plan made by name before `fully_shard`, bound to the sharded parameters after it.

torchrun --nproc-per-node 2 examples/fsdp2.py
"""

import os

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import lrtransfer as lt


def make(n: int) -> nn.Sequential:
    """Return a small network of width n."""
    return nn.Sequential(nn.Linear(8, n), nn.GELU(), nn.Linear(n, n), nn.Linear(n, 1))


dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (dist.get_world_size(),))
model = make(64)
groups = lt.parameterize(model, "mup", base=make(16), optimizer="adamw", lr=1e-2, seed=0)
fully_shard(model[2], mesh=mesh)
fully_shard(model, mesh=mesh)
optimizer = lt.make_optimizer(lt.rebind(groups, model), model=model)

torch.manual_seed(int(os.environ["RANK"]))  # each process has samples of its own
x = torch.randn(64, 8)
for step in range(40):
    loss = nn.functional.mse_loss(model(x), x.prod(1, keepdim=True).tanh())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    dist.all_reduce(loss.detach_())
    if step % 13 == 0 and dist.get_rank() == 0:
        print(f"step {step}: loss {loss.item() / dist.get_world_size():.4f}")
dist.destroy_process_group()
