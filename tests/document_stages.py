"""What the blocks of Python in the documents take as given, by document and number of the block.

A block continues with the names that those before it left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

import lrtransfer as lt

Names = dict[str, Any]


def mlp(width: int) -> nn.Sequential:
    """Return a network of two hidden layers from 6 numbers to 3."""
    return nn.Sequential(
        nn.Linear(6, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 3)
    )


def with_network(_: Names) -> Names:
    """A model, a narrow one, a batch and a loss."""
    torch.manual_seed(0)
    model = mlp(32)
    return {
        "torch": torch,
        "lt": lt,
        "make_model": mlp,
        "model": model,
        "narrow": mlp(8),
        "narrow_model": mlp(8),
        "loss_fn": mse_loss,
        "x": torch.randn(16, 6),
        "y": torch.randn(16, 3),
    }


def with_optimizers(given: Names) -> Names:
    """The network under SGD, and under Adam after a step."""
    names = with_network(given)
    adam = torch.optim.Adam(names["model"].parameters(), lr=1e-3)
    names["loss_fn"](names["model"](names["x"]), names["y"]).backward()
    adam.step()
    optimizer = torch.optim.SGD(names["model"].parameters(), lr=0.1)
    return names | {"optimizer": optimizer, "adam": adam, "lr": 0.1}


class Layer(nn.Module):
    """A block of the language model."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x with the block's part added."""
        return x + self.mlp(self.norm(x.cumsum(1)))


class LanguageModel(nn.Module):
    """Tokens and labels -> an object with loss and logits, as models of transformers return."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        layers = nn.ModuleList(Layer(width) for _ in range(2))
        self.model = nn.ModuleDict({"embed": nn.Embedding(11, width), "layers": layers})
        self.head = nn.Linear(width, 11)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> Any:
        """Return logits, and the mean loss over the labels."""
        x = self.model["embed"](input_ids) * attention_mask[..., None]
        for layer in self.model["layers"].children():
            x = layer(x)
        logits = self.head(x)
        if labels is None:
            return logits
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten())
        return SimpleNamespace(loss=loss, logits=logits)


def with_language_model(_: Names) -> Names:
    """A language model, a batch of tokens, and a loss of its logits."""
    torch.manual_seed(0)
    model, ids = LanguageModel(), torch.randint(11, (4, 6))
    mask, labels = torch.ones_like(ids), torch.randint(11, (4, 6))
    return {
        "model": model,
        "ids": ids,
        "mask": mask,
        "labels": labels,
        "inputs": {"input_ids": ids, "attention_mask": mask},
        "loss_fn": lambda logits, labels: cross_entropy(logits.flatten(0, 1), labels.flatten()),
        "n": 2,
        "update": {name: -0.01 * torch.randn_like(p) for name, p in model.named_parameters()},
        "last": 1.0,
    }


class Attention(nn.Module):
    """Attention whose queries, keys and values come from one map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head_dim = 8
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, T, width) -> the same."""
        parts = self.qkv(x).unflatten(-1, (3, -1, self.head_dim)).movedim(-3, 0).transpose(2, 3)
        mixed = nn.functional.scaled_dot_product_attention(*parts)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-norm block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2, self.attn = nn.LayerNorm(width), nn.LayerNorm(width), Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x with both branches added."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Experts(nn.Module):
    """The mean of three experts, whose matrices are stacked."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(3, 2 * width, width))
        self.down = nn.Parameter(torch.randn(3, width, 2 * width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, T, width) -> the same."""
        inner = torch.einsum("eoi,nti->neto", self.up, x).relu()
        return torch.einsum("eoi,neti->neto", self.down, inner).mean(1)


def with_classes_of_ones_own(_: Names) -> Names:
    """A model of `Block`, `Attention` and `Experts`, at two widths."""

    def make(width: int) -> nn.Module:
        blocks = [Block(width) for _ in range(4)]
        return nn.Sequential(nn.Linear(5, width), *blocks, Experts(width), nn.Linear(width, 2))

    return {"model": make(32), "narrow": make(16)}


def with_a_process_group(given: Names) -> Names:
    """The network, and a group of this process alone, over which FSDP2 shards."""
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    meeting = f"file://{Path.cwd()}/meet"
    distributed.init_process_group("gloo", init_method=meeting, rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    shard = partial(fully_shard, mesh=mesh)
    return with_network(given) | {"fully_shard": shard, "dist": distributed}


def with_gpt2(_: Names) -> Names:
    """A small GPT-2 after `parameterize`, and a folder's name."""
    from tests.scaling.hugging_face import make

    model = make("GPT2", 16)
    lt.parameterize(model, "mup", base=make("GPT2", 8), optimizer="adamw", lr=1e-3, seed=0)
    return {"model": model, "folder": "saved"}


def with_a_schedule(given: Names) -> Names:
    """An optimizer with unequal rates, and a schedule of torch's."""
    names = with_network(given)
    groups = lt.parameterize(
        names["model"], "mup", base=names["narrow"], optimizer="adamw", lr=1e-3
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR
    return {"optimizer": torch.optim.AdamW(groups), "CosineAnnealingLR": schedule}


def with_a_base(given: Names) -> Names:
    """The network, and what a tuner may wrap."""
    names = with_network(given)
    return names | {"torch": torch, "base": torch.optim.SGD(names["model"].parameters(), lr=1.0)}


def with_a_sharded_model(given: Names) -> Names:
    """The network, sharded."""
    names = with_network(given)
    given["fully_shard"](names["model"])
    return names | {"base": torch.optim.SGD(names["model"].parameters(), lr=1.0)}


def runs() -> pd.DataFrame:
    """Return runs whose best rate is 1 at every width and seed, almost."""
    return pd.DataFrame(
        {"width": width, "seed": seed, "lr": 2.0**rate, "own_rate": 2.0**rate / 2, "method": "mup"}
        | {"loss": 1.0 + 0.1 * (rate - 0.1 * seed) ** 2 + 1e-3 * (seed * rate + width / 512)}
        for width in (64, 128, 256, 512)
        for seed in range(3)
        for rate in range(-3, 4)
    )


def with_runs(_: Names) -> Names:
    """A table of runs."""
    return {"frame": runs()}


NOTHING: Callable[[Names], Names] = dict
STAGES: dict[str, list[Callable[[Names], Names]]] = {
    "README.md": [with_network],
    "docs/coordinate-check.md": [with_network],
    "docs/curvature.md": [with_optimizers, with_language_model, with_optimizers],
    "docs/judge.md": [with_runs, NOTHING],
    "docs/layouts.md": [with_network, with_classes_of_ones_own],
    "docs/optimizers.md": [with_network, NOTHING],
    "docs/own-study.md": [NOTHING],
    "docs/statistics.md": [NOTHING],
    "docs/tuners.md": [with_network, NOTHING],
    "docs/weight-decay.md": [with_optimizers],
    "docs/wrappers.md": [
        with_a_process_group,
        with_gpt2,
        with_a_schedule,
        with_a_base,
        with_a_sharded_model,
    ],
}
