"""Language models of transformers, against ARPACK on plain float64 double backward."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn

import lrtransfer as lt
from lrtransfer.curvature import HessianOperator, curvature_operator

transformers = pytest.importorskip("transformers")

VOCABULARY, WIDTH = 13, 8
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "attn_implementation": "eager",
}
LLAMA: dict[str, Any] = {"intermediate_size": 12, "num_key_value_heads": 1}
MIXTURE: dict[str, Any] = {
    "num_local_experts": 3,
    "num_experts_per_tok": 2,
    "experts_implementation": "eager",
}
FAMILIES: dict[str, dict[str, Any]] = {
    "GPT2": {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "n_positions": 8},
    "Llama": LLAMA,
    "Qwen3": LLAMA | {"head_dim": 4},
    "GPTNeoX": {"intermediate_size": 12},
    "Mixtral": LLAMA | MIXTURE,
}
THREE = {"num_experts": 3, "moe_intermediate_size": 6, "shared_expert_intermediate_size": 6}
DRY = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
OTHERS: dict[str, dict[str, Any]] = {
    "Qwen2Moe": LLAMA | MIXTURE | THREE,
    "Qwen3Moe": LLAMA | MIXTURE | THREE | {"head_dim": 4},
    "GptOss": LLAMA | MIXTURE | {"head_dim": 4},
    "Mamba": {"state_size": 4},
    "Bert": DRY | {"intermediate_size": 12, "max_position_embeddings": 8},
    "ViT": DRY | {"intermediate_size": 12, "image_size": 8, "patch_size": 4, "num_labels": 5},
}
CLASSES = {
    "GPT2": "GPT2LMHeadModel",
    "Bert": "BertForMaskedLM",
    "ViT": "ViTForImageClassification",
}


def make(family: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    sizes = SIZES | (FAMILIES | OTHERS)[family] | options
    config = getattr(transformers, f"{family}Config")(**sizes)
    model = getattr(transformers, CLASSES.get(family, f"{family}ForCausalLM"))(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.train()


@cache
def model_of(family: str) -> nn.Module:
    return make(family)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return fused attention by the kernel itself, out of reach of torch's switches."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    return kernel(query, key, value, 0.0, True)[0]


def padded() -> dict[str, Tensor]:
    """Three sequences of 8, 5 and 3 tokens; what pads them does not count."""
    torch.manual_seed(1)
    tokens = torch.randint(3, VOCABULARY, (3, 8))
    mask = torch.arange(8) < torch.tensor([8, 5, 3])[:, None]
    return {
        "input_ids": tokens.where(mask, 2),
        "attention_mask": mask.long(),
        "labels": tokens.where(mask, -100),
    }


def loss_fn(outputs: Any, labels: Tensor) -> Tensor:
    """Return the loss from float64 logits: transformers' own rounds them to float32."""
    if outputs.logits.ndim == 2:
        return F.cross_entropy(outputs.logits, labels)
    logits: Tensor = outputs.logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())


def pair(family: str = "") -> tuple[dict[str, Tensor], Tensor]:
    if family == "ViT":
        torch.manual_seed(1)
        return {"pixel_values": torch.randn(3, 3, 8, 8).double()}, torch.tensor([0, 3, 1])
    inputs = padded()
    return inputs, inputs.pop("labels")


def arpack(model: nn.Module, loss: Callable[[], Tensor], names: Callable[[str], bool]) -> float:
    chosen = [p for name, p in model.named_parameters() if names(name)]
    gradient = torch.autograd.grad(loss(), chosen, create_graph=True, allow_unused=True)
    reached = [(p, g) for p, g in zip(chosen, gradient, strict=True) if g is not None]
    parameters, slopes = [p for p, _ in reached], torch.cat([g.flatten() for _, g in reached])

    def product(vector: np.ndarray) -> np.ndarray:
        along = torch.as_tensor(vector).flatten()
        pieces = torch.autograd.grad(
            slopes, parameters, along, retain_graph=True, materialize_grads=True, allow_unused=True
        )
        return torch.cat([piece.flatten() for piece in pieces]).numpy()

    dim = len(slopes)
    start = np.random.default_rng(0).standard_normal(dim)
    operator = LinearOperator((dim, dim), matvec=product, dtype=np.float64)
    return float(eigsh(operator, 1, which="LA", tol=1e-8, v0=start)[0][0])


@cache
def exact(family: str, part: str = "") -> float:
    model, (inputs, labels) = model_of(family), pair(family)
    return arpack(model, lambda: loss_fn(model(**inputs), labels), lambda name: part in name)


@pytest.mark.parametrize("family", FAMILIES | OTHERS)
def test_sharpness_of_a_family_is_arpacks(family: str) -> None:
    found = lt.sharpness(model_of(family), loss_fn, pair(family))
    assert found.converged
    assert found.value == pytest.approx(exact(family), rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_finite_differences_find_it_too(family: str) -> None:
    found = lt.sharpness(model_of(family), loss_fn, pair(), method="finite_difference")
    assert found.value == pytest.approx(exact(family), rel=1e-3)
    assert 0 < found.difference_error < 1e-3 * found.value


@pytest.mark.slow
def test_finite_differences_find_it_in_float32_at_initialisation() -> None:
    """Weights of 0.02 before a layer norm bend at once along vectors on a few rows of them."""
    config = transformers.GPT2Config(
        vocab_size=200, n_embd=32, n_layer=12, n_head=1, attn_implementation="eager"
    )
    torch.manual_seed(0)
    model, tokens = transformers.GPT2LMHeadModel(config).eval(), torch.randint(200, (4, 64))
    batch = {"input_ids": tokens, "labels": tokens}
    expected = lt.sharpness(model, batch=batch)
    found = lt.sharpness(model, batch=batch, method="finite_difference")
    assert found.converged
    assert found.value == pytest.approx(expected.value, rel=2e-3)
    assert found.products <= 2 * expected.products


def test_a_block_is_named_by_a_pattern() -> None:
    for family, pattern in (("Llama", "*.mlp.*"), ("GPT2", "*.attn.*")):
        found = lt.sharpness(model_of(family), loss_fn, pair(), parameters=pattern, tolerance=1e-4)
        assert found.value == pytest.approx(exact(family, pattern.strip("*")), rel=1e-6)
    with pytest.raises(ValueError, match=r"matches no trainable .*model\.layers\.\*\.mlp\.gate"):
        lt.sharpness(model_of("Llama"), loss_fn, pair(), parameters=["*.mlp.*", "*.ffn.*"])


@pytest.mark.parametrize("family", ["GPT2", "Mixtral"])
def test_own_loss_closure_and_pair_agree(family: str) -> None:
    model, batch = model_of(family), padded()
    expected = lt.sharpness(model, loss_fn, pair(), tolerance=1e-3).value
    for arguments in ({"batch": batch}, {"loss_fn": lambda: model(**batch).loss}):
        found = lt.sharpness(model, tolerance=1e-3, **arguments)
        assert found.value == pytest.approx(expected, rel=1e-5)  # float32 logits


@pytest.mark.parametrize("own", [True, False])
def test_chunks_weigh_as_many_tokens_as_count(own: bool) -> None:
    model, batch = model_of("GPT2"), padded()
    rows = [{name: value[i : i + 1] for name, value in batch.items()} for i in range(3)]
    if own:  # the first label of a row is not predicted
        whole, chunked = HessianOperator(model, None, batch), HessianOperator(model, None, rows)
        assert chunked.samples == whole.samples == 13
    else:

        def unshifted(outputs: Any, labels: Tensor) -> Tensor:
            return F.cross_entropy(outputs.logits.flatten(0, 1), labels.flatten())

        pairs = [({"input_ids": row["input_ids"]}, row["labels"]) for row in rows]
        whole = HessianOperator(model, unshifted, (padded(), batch["labels"]))
        chunked = HessianOperator(model, unshifted, pairs)
        assert chunked.samples == whole.samples == 16
    assert chunked.loss == pytest.approx(whole.loss, rel=1e-6)
    torch.testing.assert_close(chunked.gradient, whole.gradient, rtol=1e-5, atol=1e-6)


def test_grouped_matrix_products_pass_or_are_not_needed() -> None:
    grouped = make("Mixtral", experts_implementation="grouped_mm").float()
    for method in ("exact", "finite_difference"):
        found = lt.sharpness(grouped, loss_fn, pair(), method=method)
        assert found.value == pytest.approx(exact("Mixtral"), rel=1e-3)


class FusedBlock(nn.Module):
    """Attention that only the fused kernel computes."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.readout = nn.Linear(8, 24), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).view(*x.shape[:2], 3, 2, 4).permute(2, 0, 3, 1, 4)
        return self.readout(attend(query, key, value).transpose(1, 2).flatten(2)).mean(1)


def test_a_kernel_without_second_derivative_is_named_with_the_ways_out() -> None:
    torch.manual_seed(0)
    model = FusedBlock().double()
    batch = torch.randn(4, 5, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    with pytest.raises(ValueError, match="attn_implementation='eager', or use method='finite_diff"):
        lt.sharpness(model, F.cross_entropy, batch)
    found = lt.sharpness(model, F.cross_entropy, batch, method="finite_difference")
    assert found.converged
    assert found.difference_error < 1e-6 * found.value


def test_fused_attention_of_a_model_is_made_explicit() -> None:
    model = make("GPT2", attn_implementation="sdpa")
    assert lt.sharpness(model, loss_fn, pair()).value == pytest.approx(exact("GPT2"), rel=1e-3)


def test_critical_sharpness_takes_no_derivative_and_fused_kernels() -> None:
    batch = padded()
    fused = make("Mixtral", attn_implementation="sdpa", experts_implementation="grouped_mm").float()
    eager = make("Mixtral")
    step = -HessianOperator(eager, loss_fn, pair()).gradient
    expected = lt.critical_sharpness(eager, loss_fn, pair(), step)
    found = lt.critical_sharpness(fused, None, batch, step, guess=2 / expected.value)
    assert found.converged
    assert found.forwards <= 6
    assert found.value == pytest.approx(expected.value, rel=0.07)


def test_what_needs_the_outputs_says_so() -> None:
    with pytest.raises(ValueError, match="'ggn' needs the outputs"):
        curvature_operator("ggn", model_of("GPT2"), None, padded())
    with pytest.raises(ValueError, match="put labels in the batch"):
        lt.sharpness(model_of("GPT2"), batch=pair()[0])


def test_buffers_gradients_and_parameters_are_left_as_found() -> None:
    model, batch = make("Llama"), padded()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for method in ("exact", "finite_difference"):
        lt.sharpness(model, lambda: model(**batch).loss, method=method, max_products=2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
