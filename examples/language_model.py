"""Curvature of a transformers model, by layer too: its own loss, padding and all.

Run it with ``python examples/language_model.py``; it takes a few seconds.
"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import lrtransfer as lt

torch.manual_seed(0)
config = GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=64, bos_token_id=0, eos_token_id=0)
model = GPT2LMHeadModel(config).train(mode=False)
tokens = torch.randint(64, (4, 16))
mask = torch.arange(16) < torch.tensor([16, 16, 9, 5])[:, None]  # two sequences are padded
batch = {
    "input_ids": tokens.where(mask, 0),
    "attention_mask": mask.long(),
    "labels": tokens.where(mask, -100),  # what does not count
}

whole = lt.sharpness(model, batch=batch)
print(f"sharpness {whole.value:.2f}, loss {whole.loss:.3f}, {whole.products} products")

for i in range(config.n_layer):
    layer = lt.sharpness(model, batch=batch, parameters=f"transformer.h.{i}.*")
    print(f"  layer {i} alone {layer.value:.2f}")

differences = lt.sharpness(model, lambda: model(**batch).loss, method="finite_difference")
print(f"by differences {differences.value:.2f} ± {differences.difference_error:.2g}")

gradient = torch.autograd.grad(model(**batch).loss, list(model.parameters()))
update = torch.cat([-g.flatten() for g in gradient])
critical = lt.critical_sharpness(model, None, batch, update, guess=2 / whole.value)
print(f"along the gradient {critical.value:.2f}, {critical.forwards} forward passes")
