"""GPT-2 as it is, and a model of one's own whose classes are told once.

python examples/layout.py
"""

import torch
import transformers as hf
from torch import Tensor, nn

import lrtransfer as lt


class Experts(nn.Module):
    """Two maps side by side on a residual stream; a parameter of one's own, (experts, in, out)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.readout = nn.Linear(8, width), nn.Linear(width, 2)
        self.maps = nn.Parameter(torch.zeros(2, width, width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, shape (n, 2), for inputs of shape (n, 8)."""
        hidden = self.first(inputs)
        logits: Tensor = self.readout(hidden + (hidden @ self.maps).tanh().mean(0))
        return logits


def gpt2(width: int) -> nn.Module:
    """Return an untrained GPT-2 of two blocks."""
    return hf.GPT2LMHeadModel(hf.GPT2Config(n_embd=width, n_layer=2, n_head=4, vocab_size=64))


told = lt.Layout(modules={"Experts": {"tensors": {"maps": "stack in out"}}})
for make, layout in ((gpt2, None), (Experts, told)):
    groups = lt.parameterize(
        make(64), "mup_table3", base=make(16), layout=layout, optimizer="adamw", lr=1e-3
    )
    for name in ("transformer.h.0.attn.c_attn.weight", "maps"):
        if name in lt.rates(groups):
            print(name, lt.rates(groups)[name])
