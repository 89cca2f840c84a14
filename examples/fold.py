"""GPT-2 under CompleteP, folded after training: plain transformers loads it and computes the same.

python examples/fold.py
"""

import tempfile

import torch
import transformers as hf

import lrtransfer as lt


def make(n: int) -> hf.GPT2LMHeadModel:
    """Return a small GPT-2 of width n, its readout tied to its embedding."""
    return hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=64, n_embd=n, n_layer=2, n_head=4))


tokens = torch.arange(128).view(4, 32) % 60
model = make(64).eval()
depth = {"base_depth": 2, "branch_exponent": 1.0}
groups = lt.parameterize(
    model, "complete_p", base=make(16), optimizer="adamw", lr=1e-2, seed=0, **depth
)
optimizer = lt.make_optimizer(groups, model=model)
for _ in range(20):
    loss = model(tokens, labels=tokens).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
before = model(tokens).logits
lt.fold(model, strict=True)  # without: the queries' multipliers, hooks until here, would be lost
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    plain = hf.GPT2LMHeadModel.from_pretrained(folder)
print(f"loss {loss.item():.4f}, logits moved by {(plain(tokens).logits - before).abs().max():.1e}")
