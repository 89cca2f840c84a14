"""A plan in a LightningModule: its groups go in where the optimizer is configured."""

import lightning
import torch
from torch import Tensor, nn

import lrtransfer as lt


def make(n: int) -> nn.Sequential:
    """Return a small network of width n."""
    return nn.Sequential(nn.Linear(8, n), nn.GELU(), nn.Linear(n, n), nn.Linear(n, 1))


class Module(lightning.LightningModule):
    """Holds the network and its plan."""

    def __init__(self) -> None:
        super().__init__()
        self.net = make(64)
        plan = {"base": make(16), "optimizer": "adamw", "lr": 1e-2, "seed": 0}
        self.groups = lt.parameterize(self.net, "mup", **plan)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Return the loss of a batch."""
        return nn.functional.mse_loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Bind the plan to what the strategy left of the network: it may have wrapped it."""
        return lt.make_optimizer(lt.rebind(self.groups, self.net), model=self)


torch.manual_seed(0)
x = torch.randn(256, 8)
data = torch.utils.data.TensorDataset(x, x.prod(1, keepdim=True).tanh())
module, loader = Module(), torch.utils.data.DataLoader(data, 32)
print(f"loss {nn.functional.mse_loss(module.net(x), data.tensors[1]).item():.4f}")
trainer = lightning.Trainer(max_epochs=20, accelerator="cpu", logger=False, barebones=True)
trainer.fit(module, loader)
print(f"loss {nn.functional.mse_loss(module.net(x), data.tensors[1]).item():.4f}")
