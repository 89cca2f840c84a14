"""A LLaMA whose feed-forward maps are mixtures of experts, for scaling at fixed numbers of both."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from lrtransfer.study.models.feed_forward import SwiGLU
from lrtransfer.study.models.llama import Llama


class Experts(nn.Module):
    """x ↦ (F/N)^-½ Σ g_e E_e(x) over the k experts of the largest router logits.

    g is the softmax of the selected logits, E_e a SwiGLU of inner width F. The factor gives the
    experts' last maps the entries √N/F of Jiang et al. (2026, 2601.20205), whose exponent in F/N
    is -1, under a rule that draws them at 1/√F; it is 1 where F is N. All experts see all tokens,
    and what is not selected is multiplied by zero: exact, and meant for small nets.

    Args:
        features: N.
        hidden: F.
        experts: E, how many there are.
        active: k, how many of them a token passes.

    Raises:
        ValueError: There are no experts, or `active` is not between 1 and `experts`.
    """

    def __init__(self, features: int, hidden: int, experts: int, active: int) -> None:
        super().__init__()
        if not 1 <= active <= experts:
            raise ValueError(f"active is {active}. Give 1 to {experts}, the number of experts.")
        self.active = active
        self.factor = math.sqrt(features / hidden)
        self.router = nn.Linear(features, experts, bias=False)
        self.experts = nn.ModuleList(SwiGLU(features, hidden) for _ in range(experts))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs, of the inputs' shape."""
        logits = self.router(inputs)
        least = logits.detach().topk(self.active, -1).values[..., -1:]
        gates = logits.masked_fill(logits.detach() < least, -torch.inf).softmax(-1)
        every = torch.stack([expert(inputs) for expert in self.experts], -1)
        outputs: Tensor = self.factor * (every * gates.unsqueeze(-2)).sum(-1)
        return outputs


class MixtureOfExperts(Llama):
    """`Llama` with `Experts` in place of SwiGLU, each of inner width mlp_ratio·N.

    The rules are those of Jiang et al. (2026) for Adam, at a fixed number of experts and a fixed
    share of active ones: entries of 1/√N and rates ∝ 1/N for the router too, which is what Adam's
    column has for the role hidden, though the router grows on one side alone. Under SGD, for which
    there is no source, its own change was measured to grow as N^½. There is no bias of the router
    and no balancing loss.

    Args:
        experts: E; optima do not transfer over active/experts.
        active: k, how many of them a token passes.
        in_features: As for `Llama`, and so are the others.
        out_features: See `in_features`.
        width: See `in_features`.
        depth: See `in_features`.
        block_size: See `in_features`.
        heads: See `in_features`.
        head_size: See `in_features`.
        mlp_ratio: F/N.
        rotary_base: See `in_features`.
        qk_norm: See `in_features`.
        kv_heads: See `in_features`.

    Raises:
        ValueError: As for `Llama` and `Experts`.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 4,
        block_size: int = 64,
        heads: int = 4,
        head_size: int = 0,
        mlp_ratio: int = 1,
        rotary_base: float = 10000.0,
        qk_norm: bool = False,
        kv_heads: int | None = None,
        experts: int = 4,
        active: int = 1,
    ) -> None:
        super().__init__(
            in_features=in_features,
            out_features=out_features,
            width=width,
            depth=depth,
            block_size=block_size,
            heads=heads,
            head_size=head_size,
            mlp_ratio=mlp_ratio,
            rotary_base=rotary_base,
            qk_norm=qk_norm,
            kv_heads=kv_heads,
        )
        mixing: Any = self.branches[1::2]
        for branch in mixing:
            dense = branch[1].gate
            branch[1] = Experts(dense.in_features, dense.out_features, experts, active)


# Of every expert there is something to measure where all are active.
# Under SGD, for which no source gives its roles, the router's updates grow with the width.
COORDINATE_CHECK = {
    "options": {"block_size": 8, "experts": 8, "active": 8},
    "optimizers": ("adamw",),
}
ROLES = ("embedding", "hidden", "output", "norm_gain", "branch", "attention_logits")
# Small nets for shared tests: sizes in common; of each net the others, how many residual branches
# it has, and its last output there.
CASES = {
    "sizes": {"in_features": 0, "width": 4, "heads": 2, "block_size": 5},
    "nets": [
        ({"depth": 2}, 2, 1.1194313955838284),
        ({"experts": 3, "active": 2, "kv_heads": 1}, 4, 1.0005838625829668),
    ],
}
MODEL = MixtureOfExperts
