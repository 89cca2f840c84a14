"""Small models of transformers, by family and width, and what they are called with."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import Tensor, nn

transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]

VOCABULARY = 13
_TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "max_position_embeddings": 16,
}
_NO_DROPOUT = {
    "GPT2": dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0),
    "Bert": dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0),
    "ViT": dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0),
}
_CLASSES = {
    "GPT2": "GPT2LMHeadModel",
    "Bert": "BertForMaskedLM",
    "ViT": "ViTForImageClassification",
}
_LLAMAS = {"Llama", "Qwen3", "Mixtral", "Qwen2Moe", "GptOss"}


def make(family: str, width: int, **options: Any) -> nn.Module:
    """Return a float64 model of one layer and four heads, tied if it can be."""
    sizes: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 4 * width,
        "tie_word_embeddings": True,
        "attn_implementation": "eager",
    }
    if family == "ViT":
        sizes |= {"image_size": 8, "patch_size": 4, "num_labels": 5}
        del sizes["tie_word_embeddings"]
    else:
        sizes |= _TEXT
    if family == "GPT2":
        del sizes["intermediate_size"]
    if family in _LLAMAS:
        sizes |= {"num_key_value_heads": 2, "head_dim": width // 4}
    if family in ("Mixtral", "Qwen2Moe", "GptOss"):
        sizes["experts_implementation"] = "eager"
    if family in ("Mixtral", "GptOss"):
        sizes |= {"num_local_experts": 3, "num_experts_per_tok": 2}
    if family == "Qwen2Moe":
        sizes |= {"num_experts": 3, "num_experts_per_tok": 2}
        sizes |= dict.fromkeys(
            ("moe_intermediate_size", "shared_expert_intermediate_size"), 2 * width
        )
    config = getattr(transformers, f"{family}Config")(
        **sizes | _NO_DROPOUT.get(family, {}) | options
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = getattr(transformers, _CLASSES.get(family, f"{family}ForCausalLM"))(
            config
        )
    return model.double()


def batch(family: str) -> dict[str, Tensor]:
    """Return keywords for a call."""
    random = torch.Generator().manual_seed(1)
    if family == "ViT":
        return {"pixel_values": torch.randn(2, 3, 8, 8, generator=random, dtype=torch.float64)}
    return {"input_ids": torch.randint(3, VOCABULARY, (2, 6), generator=random)}


def logits(model: nn.Module, family: str) -> Tensor:
    """Return the logits of `batch`."""
    found: Tensor = model(**batch(family)).logits
    return found
