"""A transformers model under μP in the Trainer: its optimizer is handed over, its schedule stays.

python examples/transformers_trainer.py
"""

import tempfile

import torch
import transformers as hf

import lrtransfer as lt

STEPS = 20


def make(n: int) -> hf.ResNetForImageClassification:
    """Return a small residual network of width n with random weights."""
    sizes = {"embedding_size": n, "hidden_sizes": [n, 2 * n], "depths": [1, 1]}
    return hf.ResNetForImageClassification(
        hf.ResNetConfig(**sizes, num_labels=4, layer_type="basic")
    )


torch.manual_seed(0)
labels = torch.arange(64) % 4
images = torch.randn(64, 3, 16, 16) + labels.view(-1, 1, 1, 1)
data = [{"pixel_values": images[i], "labels": labels[i]} for i in range(64)]

model = make(16)
groups = lt.parameterize(model, "mup", base=make(8), optimizer="adamw", lr=1e-2, seed=0)
optimizer = lt.make_optimizer(groups, model=model, fused=True)
lt.check_schedule(optimizer, lambda opt: hf.get_scheduler("cosine", opt, 5, STEPS), steps=STEPS)
with tempfile.TemporaryDirectory() as folder:
    options = {"max_steps": STEPS, "lr_scheduler_type": "cosine", "warmup_steps": 5}
    own = hf.TrainingArguments(folder, **options, logging_steps=1, report_to="none", use_cpu=True)
    trainer = hf.Trainer(model, own, train_dataset=data, optimizers=(optimizer, None))
    trainer.train()
losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
print(f"loss {losses[0]:.4f}\nloss {losses[-1]:.4f}")
